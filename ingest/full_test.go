package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/internal/logtest"
)

// A disk is a small file system that a test can fill.
type disk struct{ filler string }

// mount mounts a disk on a folder, which it makes.
func mount(t *testing.T, folder string) disk {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("none", folder, "tmpfs", 0, "size=1m,mode=700")
	if errors.Is(err, unix.EPERM) {
		t.Skip("it mounts a small file system, which needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk{filepath.Join(folder, ".filler")}
}

// fill writes until nothing fits any more.
func (d disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(d.filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, zeros{}, 2<<20); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after 2 MiB in 1 MiB: %v", err)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func (d disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler); err != nil {
		t.Fatal(err)
	}
}

// While a disk is full, be it that of the images, of the dead letters or of what the run
// remembers, images wait, and the status says it. Afterwards each image is where it
// belongs once, and a second run finds nothing to do.
func TestDiskIsFull(t *testing.T) {
	for folder, down := range map[string]string{"out": "tkit_folder", "dead": "dead letters", "home/ingest/full": "the state of the input"} {
		t.Run(folder, func(t *testing.T) {
			p := newPlace(t)
			place := filepath.Join(p.dir, folder)
			if name, inHome := strings.CutPrefix(folder, "home/"); inHome {
				place = filepath.Join(p.home.Path, name)
			}
			small := mount(t, place)
			p.write(t, "in/first.jpg", inferencetest.JPEG(t, 1000))
			o := p.options(p.write(t, "pipeline.yaml", []byte(`
name: full
delivery: {dead_letters: dead}
input:
  tkit_directory: {path: in, settle: 10ms, poll: 100ms}
pipeline:
  processors:
    - tkit_classify: {models: [flowers]}
output:
  tkit_folder: {path: out}
`)))
			var log logtest.Buffer
			o.Once, o.Log = false, slog.New(slog.NewTextHandler(&log, nil))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				_, err := ingest.Run(ctx, o)
				ended <- err
			}()
			defer func() {
				if t.Failed() {
					t.Logf("%+v %d delivered, %d failed\n%.6000s", o.Counters.Outages(), o.Counters.Delivered.Load(), o.Counters.Failed.Load(), log.String())
				}
			}()
			until(t, func() bool { return o.Counters.Delivered.Load() == 1 })
			small.fill(t)
			const good = 20
			for i := range good {
				p.write(t, fmt.Sprintf("in/%d.jpg", i), inferencetest.JPEG(t, uint64(i)))
			}
			p.write(t, "in/bad.jpg", []byte("no image"))
			until(t, func() bool {
				all := o.Counters.Outages()
				return len(all) > 0 && all[0].Component == down && (strings.Contains(all[0].Cause, "no space") || strings.Contains(all[0].Cause, "full"))
			})
			small.free(t)
			until(t, func() bool {
				return o.Counters.Delivered.Load() == good+1 && o.Counters.Dead.Load() == 1 && len(o.Counters.Outages()) == 0
			})
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if !strings.Contains(log.String(), "a component is up again") {
				t.Error("the log does not say that it is up again")
			}
			p.checkFiles(t, "out", good+1)
			if dead, err := filepath.Glob(filepath.Join(p.dir, "dead/*.image")); err != nil || len(dead) != 1 {
				t.Errorf("dead letters %q, %v", dead, err)
			}
			again := o
			again.Once, again.Counters = true, nil
			if s, err := ingest.Run(t.Context(), again); err != nil || s.Delivered+s.Dead != 0 {
				t.Errorf("the second run: %+v, %v", s, err)
			}
		})
	}
}
