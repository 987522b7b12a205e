package ingest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"tkit/ingest"
	"tkit/ingest/notify"
)

// More images than may be in flight are told in one message at the end, though its time
// has not come, but only those of a condition, and an image that another output refuses again and again is told once.
func TestNotify(t *testing.T) {
	var mu sync.Mutex
	var images []int
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var d notify.Digest
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil || d.Pipeline != "notify" {
			t.Errorf("%+v, %v", d, err)
		}
		mu.Lock()
		defer mu.Unlock()
		images = append(images, d.Images)
	}))
	defer server.Close()
	t.Setenv("TEST_URL", server.URL)
	p := newPlace(t)
	const n = 200
	for i := range n {
		p.write(t, fmt.Sprintf("in/%d.jpg", i), fmt.Appendf(nil, "image %d", i))
	}
	o := p.options(p.write(t, "pipeline.yaml", []byte(`
name: notify
delivery: {in_flight: 8, attempts: 3}
input:
  tkit_directory: {path: in, settle: 10ms}
output:
  broker:
    outputs:
      - tkit_notify:
          webhook: {url: "${TEST_URL}"}
          digest: {period: 1h}
        processors:
          - mutation: root = if !@tkit_source.has_suffix("0.jpg") { deleted() }
      - tkit_folder: {path: out}
        processors:
          - mutation: meta odd = if @tkit_source == "10.jpg" { throw("unwanted") }
`)))
	s, err := ingest.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(images) != 1 || images[0] != n/10 || s.Delivered != n-1 || s.Dead != 1 {
		t.Errorf("messages of %d images; %+v", images, s)
	}
	if records := p.records(t, "out"); len(records) != n-1 {
		t.Errorf("%d images in the other output", len(records))
	}
}

// A run whose last message cannot be sent fails, and the next one sends it.
func TestNotifyIsDown(t *testing.T) {
	down := true
	told := 0
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var d notify.Digest
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
			t.Error(err)
		}
		told += d.Images
	}))
	defer server.Close()
	t.Setenv("TEST_URL", server.URL)
	p := newPlace(t)
	p.write(t, "in/a.jpg", []byte("image"))
	o := p.options(p.write(t, "pipeline.yaml", []byte(`
name: notify
input:
  tkit_directory: {path: in, settle: 10ms}
output:
  tkit_notify:
    webhook: {url: "${TEST_URL}"}
`)))
	if _, err := ingest.Run(t.Context(), o); err == nil || o.Counters.Delivered.Load() != 1 {
		t.Errorf("delivered %d, and the run ends with %v", o.Counters.Delivered.Load(), err)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	if _, err := ingest.Run(t.Context(), o); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if told != 1 {
		t.Errorf("%d images are told", told)
	}
}
