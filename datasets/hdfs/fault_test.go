package hdfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"tkit/datasets"
	"tkit/datasets/folder"
	"tkit/datasets/sourcetest"
)

// A snapshot during which servers die, hang or change roles equals one without
// faults.
func TestSnapshotThroughFaults(t *testing.T) {
	s := store(t)
	p := s.NewPlace(t)
	stored := map[string][]byte{}
	for i := range 12 {
		// Two blocks: bytes after an image's end are allowed.
		stored[fmt.Sprintf("class-%d/%02d.png", i%3, i)] = append(sourcetest.Picture(i), make([]byte, 1_500_000)...)
	}
	p.PutAll(stored)
	want := take(t, p)
	if len(want.Entries) != len(stored) {
		t.Fatalf("%d images of %d", len(want.Entries), len(stored))
	}
	c := s.Cluster
	for _, fault := range []struct {
		name    string
		strike  func(context.Context) error // in the middle of a file
		recover func(context.Context) error // during the reading
	}{
		{"a DataNode dies", func(context.Context) error { return c.KillDataNode(0) },
			func(context.Context) error { return nil }},
		{"all DataNodes die and are back", func(context.Context) error { return each(c.KillDataNode) },
			func(context.Context) error { return each(c.StartDataNode) }},
		{"the NameNode hangs for 5 s", func(context.Context) error { return c.PauseNameNode(0) },
			func(ctx context.Context) error {
				select {
				case <-time.After(5 * time.Second):
				case <-ctx.Done():
				}
				return c.ResumeNameNode(0)
			}},
		{"the NameNode dies and the other takes over", func(context.Context) error { return c.KillNameNode(0) },
			func(ctx context.Context) error { return c.Failover(ctx, 1) }},
		{"the NameNode dies and is started again", func(context.Context) error { return c.KillNameNode(0) }, c.Restore},
	} {
		t.Run(fault.name, func(t *testing.T) {
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				must(t, c.Restore(ctx))
			}()
			var struck chan error
			src := &interrupted{Source: folder.New(p.OpenTree(), folder.Config{}), at: 4, strike: func() {
				struck = make(chan error, 1)
				err := fault.strike(t.Context())
				go func() { struck <- errors.Join(err, fault.recover(t.Context())) }()
			}}
			got, _, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{Workers: 2, AllOrNothing: true})
			if struck == nil {
				t.Fatalf("nothing happened: %v", err)
			}
			must(t, <-struck)
			if err != nil || got.Digest != want.Digest {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func each(f func(int) error) error { return errors.Join(f(0), f(1), f(2)) }

// interrupted is a source in which a fault occurs in the middle of one of the
// files.
type interrupted struct {
	datasets.Source
	at     int
	strike func()
}

func (s *interrupted) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		n := 0
		for e, err := range s.Source.Examples(ctx) {
			if n++; n == s.at && err == nil {
				open := e.Open
				e.Open = func(ctx context.Context) (io.ReadCloser, error) {
					r, err := open(ctx)
					return &halfway{ReadCloser: r, strike: sync.OnceFunc(s.strike)}, err
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// halfway is a file that reads 100 kB before the fault.
type halfway struct {
	io.ReadCloser
	read   int
	strike func()
}

func (h *halfway) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	if h.read += n; h.read > 100_000 {
		h.strike()
	}
	return n, err
}
