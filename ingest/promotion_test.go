package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/serve/server"
)

// startServer serves the models of the home in this process, and returns its URL.
func (p *place) startServer(t *testing.T) string {
	t.Helper()
	o := server.Defaults()
	o.Home, o.HTTP, o.GRPC, o.Drain, o.Log = p.home.Path, "127.0.0.1:0", "", 0, slog.New(slog.DiscardHandler)
	listening := make(chan string, 1)
	o.Listening = func(a server.Addresses) { listening <- "http://" + a.HTTP }
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case url := <-listening:
		return url
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return ""
}

const followed = `
name: followed
input:
  tkit_directory: {path: in, settle: 10ms, after: archive, archive: done}
pipeline:
  processors:
    - tkit_classify: {models: [flowers], top: 10, server: "SERVER"}
output:
  tkit_folder: {path: out}
`

const pinned = `
name: pinned
input:
  tkit_directory: {path: done, settle: 10ms}
pipeline:
  processors:
    - tkit_classify: {models: [flowers@1, flowers@2], top: 10}
output:
  tkit_folder: {path: both}
`

// A version that is promoted in the midst of a stream classifies the images from then
// on, and each record names the version that has produced its labels.
func TestPromotionWhileRunning(t *testing.T) {
	for _, where := range []string{"in this process", "with a server"} {
		t.Run(where, func(t *testing.T) {
			p := newPlace(t)
			url := ""
			if where == "with a server" {
				url = p.startServer(t)
			}
			p.write(t, "in/first.jpg", inferencetest.JPEG(t, 1000))
			o := p.options(p.write(t, "pipeline.yaml", []byte(strings.Replace(followed, "SERVER", url, 1))))
			o.Once = false
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				_, err := ingest.Run(ctx, o)
				ended <- err
			}()
			until(t, func() bool { return o.Counters.Delivered.Load() == 1 })
			second := p.home.Register(t, "flowers", 7)
			images := int64(1)
			until(t, func() bool {
				if images == 10 {
					p.home.Promote(t, "flowers", second, "production")
				}
				p.write(t, fmt.Sprintf("in/%d.jpg", images), inferencetest.JPEG(t, uint64(images)))
				images++
				time.Sleep(5 * time.Millisecond)
				return p.last(t).Version == second
			})
			until(t, func() bool { return o.Counters.Delivered.Load() == images })
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			p.checkVersions(t, int(images))
		})
	}
}

// last returns the record of the last version that is in the folder out.
func (p *place) last(t *testing.T) (last record) {
	t.Helper()
	for _, r := range p.records(t, "out") {
		if r.Version > last.Version {
			last = r
		}
	}
	return last
}

// checkVersions compares the records of some images with what each version gives for
// them. Both versions must have classified some.
func (p *place) checkVersions(t *testing.T, images int) {
	t.Helper()
	if _, err := ingest.Run(t.Context(), p.options(p.write(t, "pinned.yaml", []byte(pinned)))); err != nil {
		t.Fatal(err)
	}
	records, both, by := p.records(t, "out"), p.records(t, "both"), make(map[int]int)
	for source, r := range records {
		by[r.Version]++
		first := r.Results[0]
		if first.Version != r.Version || first.Alias != "production" || r.Label != first.Labels[0].Label {
			t.Errorf("%s: %+v", source, r)
		}
		got, of := probabilities(r)[0], probabilities(both[source])
		if len(of) != 2 || !near(got, of[r.Version-1]) || near(got, of[2-r.Version]) {
			t.Errorf("%s: version %d has given %v, and the versions give %v", source, r.Version, got, of)
		}
	}
	if len(records) != images || by[1] == 0 || by[2] == 0 || len(by) != 2 {
		t.Errorf("%d images by version %v, want %d", len(records), by, images)
	}
}

// probabilities returns those of a record, for each model by label.
func probabilities(r record) (all []map[string]float64) {
	for _, result := range r.Results {
		of := make(map[string]float64)
		for _, l := range result.Labels {
			of[l.Label] = l.Probability
		}
		all = append(all, of)
	}
	return all
}

// near reports whether probabilities differ only as those of different batches do.
func near(a, b map[string]float64) bool {
	for label, p := range a {
		if math.Abs(p-b[label]) > 1e-4 {
			return false
		}
	}
	return true
}
