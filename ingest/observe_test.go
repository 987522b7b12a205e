package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/deadletter"
	"tkit/ingest/status"
)

const groups = `
name: test
input:
  broker:
    inputs:
      - tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - tkit_classify: {models: [flowers]}
    - mutation: meta sure = @tkit_probability > 0.5
    - catch:
        - mutation: meta handled = error()
    - mutation: meta after = "yes"
    - try:
        - mutation: meta more = "yes"
output:
  tkit_folder: {path: out}
`

// An image for which a processor fails skips the others up to a catch, so that its
// first failure is the one that counts.
func TestFirstFailure(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/good.jpg", inferencetest.JPEG(t, 1))
	p.write(t, "in/bad.jpg", []byte("no image"))
	file := p.write(t, "pipeline.yaml", []byte(groups))
	if s, err := ingest.Run(t.Context(), p.options(file)); err != nil || s.Delivered != 2 || s.Dead != 0 {
		t.Errorf("with a catch: %+v, %v", s, err)
	}
	all := p.records(t, "out")
	if m := all["bad.jpg"].Metadata; !strings.Contains(fmt.Sprint(m["handled"]), "unsupported") || m["after"] != "yes" || m["sure"] != nil {
		t.Errorf("the bad image: %v", m)
	}
	if m := all["good.jpg"].Metadata; m["handled"] != nil || m["after"] != "yes" || m["more"] != "yes" || m["sure"] == nil {
		t.Errorf("the good image: %v", m)
	}
	without := strings.Replace(strings.Replace(groups, "    - catch:\n        - mutation: meta handled = error()\n", "", 1), "name: test", "name: other", 1)
	s, err := ingest.Run(t.Context(), p.options(p.write(t, "other.yaml", []byte(without))))
	if err != nil || s.Dead != 1 {
		t.Fatalf("without a catch: %+v, %v", s, err)
	}
	for l, err := range deadletter.OpenToRead(s.DeadLetters).Letters(t.Context()) {
		if err != nil || l.Stage != "classify" || l.Attempts != 1 {
			t.Errorf("%+v, %v", l, err)
		}
	}
}

// A run tells what each component has done, by its path in the file.
func TestStatus(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/good.jpg", inferencetest.JPEG(t, 1))
	p.write(t, "in/bad.jpg", []byte("no image"))
	o := p.options(p.write(t, "pipeline.yaml", []byte(groups)))
	if _, err := ingest.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	all, err := status.List(t.Context(), p.home.Path)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	s := all[0]
	if s.State() != "ended" || s.Running || s.Read != 2 || s.Delivered != 2 || s.InFlight != 0 || s.Waiting != 0 || s.Principal != string(p.caller.Principal) {
		t.Errorf("%+v", s)
	}
	for path, want := range map[string]status.Component{
		"root.input.broker.inputs.0":           {Images: 2},
		"root.pipeline.processors.0":           {Images: 2, Failed: 1},
		"root.pipeline.processors.1":           {Images: 1},
		"root.pipeline.processors.2.catch.0":   {Images: 1},
		"root.pipeline.processors.3":           {Images: 2},
		"root.pipeline.processors.4":           {Images: 2},
		"root.pipeline.processors.4.try.0":     {Images: 2},
		"root.output":                          {Images: 2},
		"root.pipeline.processors.none":        {},
		"root.input.tkit_delivery.input":       {},
		"root.output.reject_errored":           {},
		"root.pipeline.processors.0.try.0":     {},
		"root.input.broker.inputs.0.broker":    {},
		"root.pipeline.processors.2.catch.1":   {},
		"root.pipeline.processors.4.try.0.try": {},
	} {
		if got := s.Components[path]; got.Images != want.Images || got.Failed != want.Failed {
			t.Errorf("%s: %+v, want %+v; there are %v", path, got, want, s.Components)
		}
	}
	v, err := status.ReadView(t.Context(), status.Folder(p.home.Path, "test", 1))
	if err != nil || len(v.Recent) != 1 || v.Recent[0].Source != "good.jpg" || len(v.Recent[0].Thumbnail) == 0 || len(v.Graph.Nodes) != 9 {
		t.Errorf("%d recent images, graph %+v, %v", len(v.Recent), v.Graph, err)
	}
}

// While a pipeline runs it serves metrics, and others see that it runs.
func TestMetrics(t *testing.T) {
	p := newPlace(t)
	p.write(t, "in/good.jpg", inferencetest.JPEG(t, 1))
	o := p.options(p.write(t, "pipeline.yaml", []byte(strings.Replace(simple, "after: delete", "after: keep", 1))))
	o.Once, o.Metrics = false, "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(ctx, o)
		ended <- err
	}()
	var s status.Status
	for end := time.Now().Add(time.Minute); s.Delivered != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", s)
		}
		if all, err := status.List(t.Context(), p.home.Path, "test"); err == nil {
			s = all[0]
		}
	}
	if s.State() != "running" {
		t.Errorf("it is %s", s.State())
	}
	if _, err := ingest.Run(t.Context(), o); !errors.Is(err, status.ErrLocked) {
		t.Errorf("a second run: %v", err)
	}
	for path, want := range map[string]string{
		"/metrics": `tkit_ingest_delivered_total{pipeline="test"} 1`, "/livez": "", "/readyz": "",
	} {
		response, err := http.Get("http://" + s.Metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v\n%s", path, response.Status, err, text)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	all, err := status.List(t.Context(), p.home.Path, "test")
	if err != nil || all[0].State() != "ended" {
		t.Errorf("%+v, %v", all, err)
	}
	// A run that is killed leaves its status as it was.
	killed := all[0]
	killed.Ended = false
	if err := status.Write(filepath.Join(p.home.Path, "ingest", "test"), killed); err != nil {
		t.Fatal(err)
	}
	if all, err := status.List(t.Context(), p.home.Path, "test"); err != nil || all[0].State() != "killed" {
		t.Errorf("%+v, %v", all, err)
	}
}
