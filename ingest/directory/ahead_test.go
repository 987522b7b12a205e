package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"tkit/ingest/directory"
)

// A parallelStore has files of 10 bytes. The reading of the first one ends when as many
// readings as wanted have begun.
type parallelStore struct {
	directory.Store
	files  int
	wanted int
	enough chan struct{}

	mu    sync.Mutex
	begun int
	now   int // readings in progress
	most  int
}

func (s *parallelStore) List(_ context.Context, _ string, see func(directory.Entry) error) error {
	for i := range s.files {
		if err := see(directory.Entry{Name: fmt.Sprintf("%02d", i), File: true, Stamp: directory.Stamp{Size: 10}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *parallelStore) Stat(_ context.Context, path string) (directory.Entry, error) {
	return directory.Entry{Folder: path == "/in/.", File: path != "/in/.", Stamp: directory.Stamp{Size: 10}}, nil
}

func (s *parallelStore) Read(ctx context.Context, path string, seen directory.Stamp, _ int64) (directory.Stamp, []byte, error) {
	s.mu.Lock()
	s.begun++
	s.now++
	s.most = max(s.most, s.now)
	if s.begun == s.wanted {
		close(s.enough)
	}
	s.mu.Unlock()
	if path == "/in/00" {
		select {
		case <-s.enough:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	return seen, []byte(path[len("/in/"):] + "........"), nil
}

// Several files are read at a time, and come in the order of the folder. Together they
// are not larger than the largest file may be.
func TestReaders(t *testing.T) {
	for _, c := range []struct {
		readers, wanted int
		maxBytes        int64
	}{{0, 1, 1000}, {4, 4, 1000}, {4, 3, 35}, {4, 1, 10}} {
		s := &parallelStore{files: 20, wanted: c.wanted, enough: make(chan struct{})}
		o := options(t)
		o.Store, o.Folder, o.Events, o.After, o.Readers, o.MaxBytes = s, "/in", false, directory.Keep, c.readers, c.maxBytes
		w := open(t, o)
		var names []string
		for {
			f, err := w.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(f.Content[:2]) != f.Path {
				t.Errorf("%s is %q", f.Path, f.Content)
			}
			names = append(names, f.Path)
			if err := f.Delivered(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(names) != s.files || !slices.IsSorted(names) || s.most > c.wanted {
			t.Errorf("%+v: %d at a time, %q", c, s.most, names)
		}
	}
}
