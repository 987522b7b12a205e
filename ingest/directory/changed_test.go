package directory_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tkit/ingest/directory"
)

// What is changed, replaced or deleted while it is read is never returned as a mixture,
// and the last content is.
func TestChangedWhileRead(t *testing.T) {
	const size, changes, last = 24 << 20, 25, 'z'
	o := options(t)
	o.Follow, o.MaxBytes, o.After = true, size, directory.Keep
	w := open(t, o)
	path, aside := filepath.Join(o.Folder, "a.jpg"), filepath.Join(t.TempDir(), "aside")
	write(t, path, string(bytes.Repeat([]byte("A"), size)))
	var changed atomic.Bool
	go func() {
		defer changed.Store(true)
		for i := range changes {
			time.Sleep(o.Settle + rand.N(20*time.Millisecond)) // about when it is read
			if err := change(path, aside, bytes.Repeat([]byte{'B' + byte(i)}, size), i); err != nil {
				t.Error(err)
				return
			}
		}
		if err := change(path, aside, bytes.Repeat([]byte{last}, size), 0); err != nil {
			t.Error(err)
		}
	}()
	for {
		f := next(t, w)
		of := f.Content[0]
		if n := bytes.Count(f.Content, []byte{of}); n != size {
			t.Errorf("of %d bytes %d are %q", len(f.Content), n, of)
		}
		if err := f.Delivered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if of == last && changed.Load() {
			return
		}
	}
}

// change gives a file another content: by replacing the file, by writing into it, or after
// its deletion.
func change(path, aside string, content []byte, how int) error {
	if how%3 == 1 {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write(content)
		return err
	}
	if err := os.WriteFile(aside, content, 0o600); err != nil {
		return err
	}
	if how%3 == 2 {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Rename(aside, path)
}
