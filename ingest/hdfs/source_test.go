package hdfs_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/ingest/directory"
	"tkit/ingest/hdfs"
	"tkit/ingest/ledger"
)

// arrive writes files of alice, in folders of hers.
func (p place) arrive(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := p.client.PutFile(t.Context(), name, path.Dir(p.config.Root)+"/writing", content); err != nil {
			t.Fatal(err)
		}
	}
}

// watch reads the folder /TEST/in.
func (p place) watch(t *testing.T, o directory.Options) *directory.Watcher {
	t.Helper()
	s, err := hdfs.OpenSource(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if o.Ledger == nil {
		l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		o.Ledger = l
	}
	o.Store, o.Folder, o.Subfolders = s, path.Dir(p.config.Root)+"/in", true
	o.Settle, o.Poll, o.MaxBytes, o.Log = 20*time.Millisecond, 20*time.Millisecond, 100, slog.New(slog.DiscardHandler)
	w, err := directory.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// delivered delivers the files that exist, and returns their paths, and the error at
// the end.
func delivered(t *testing.T, w *directory.Watcher) (paths []string, err error) {
	t.Helper()
	for {
		f, err := w.Next(t.Context())
		if err != nil {
			slices.Sort(paths)
			return paths, err
		}
		if f.Refused != nil {
			if f.Size != 106 || !errors.Is(f.Refused, directory.ErrTooLarge) {
				t.Errorf("%+v", f)
			}
		} else if string(f.Content) != "image "+f.Path {
			t.Errorf("%s is %q", f.Path, f.Content)
		}
		paths = append(paths, f.Path)
		if err := f.Delivered(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// fill writes files into the folder, each with its path as content.
func (p place) fill(t *testing.T, names ...string) {
	t.Helper()
	files := make(map[string][]byte)
	for _, name := range names {
		files[path.Dir(p.config.Root)+"/in/"+name] = []byte("image " + name)
	}
	p.arrive(t, files)
}

func TestDelete(t *testing.T) {
	p := newPlace(t)
	p.fill(t, "a.jpg", "deep/er/b.jpg", "c._COPYING_", "_temporary/0/d.jpg", ".e.jpg", strings.Repeat("x", 100))
	got, err := delivered(t, p.watch(t, directory.Options{After: directory.Delete}))
	if !slices.Equal(got, []string{"a.jpg", "deep/er/b.jpg", strings.Repeat("x", 100)}) || !errors.Is(err, io.EOF) {
		t.Errorf("delivered %q, %v", got, err)
	}
	left := []string{".e.jpg", "_temporary", "c._COPYING_", "deep", strings.Repeat("x", 100)}
	if now := p.names(t, "../in"); !slices.Equal(now, left) || len(p.names(t, "../in/deep/er")) > 0 {
		t.Errorf("left %q, want %q", now, left)
	}
}

// A file that the user may not read is returned once without its content, and delivered
// when the user may.
func TestDenied(t *testing.T) {
	p := newPlace(t)
	p.fill(t, "a.jpg")
	file := path.Dir(p.config.Root) + "/in/a.jpg"
	web(t, "PUT", file, "op", "SETPERMISSION", "permission", "000")
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := directory.Options{After: directory.Delete, Ledger: l}
	w := p.watch(t, o)
	f, err := w.Next(t.Context())
	if err != nil || !errors.Is(f.Refused, fs.ErrPermission) {
		t.Fatalf("%+v, %v", f, err)
	}
	if err := f.Delivered(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := delivered(t, p.watch(t, o)); len(got) > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("again %q, %v", got, err)
	}
	web(t, "PUT", file, "op", "SETPERMISSION", "permission", "600")
	if got, err := delivered(t, p.watch(t, o)); !slices.Equal(got, []string{"a.jpg"}) || !errors.Is(err, io.EOF) {
		t.Errorf("delivered %q, %v", got, err)
	}
}

// The archive keeps files of the same path.
func TestArchive(t *testing.T) {
	p := newPlace(t)
	for range 2 {
		p.fill(t, "x/a.jpg")
		o := directory.Options{After: directory.Archive, Archive: path.Dir(p.config.Root) + "/done"}
		if got, err := delivered(t, p.watch(t, o)); !slices.Equal(got, []string{"x/a.jpg"}) || !errors.Is(err, io.EOF) {
			t.Errorf("delivered %q, %v", got, err)
		}
	}
	if now := p.names(t, "../done/x"); !slices.Equal(now, []string{"a.jpg", "a~2.jpg"}) {
		t.Errorf("the archive has %q", now)
	}
}

// Files that are kept are read once, and again after a change.
func TestKeep(t *testing.T) {
	p := newPlace(t)
	p.fill(t, "a.jpg", "b.jpg")
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := directory.Options{After: directory.Keep, Ledger: l}
	for _, want := range [][]string{{"a.jpg", "b.jpg"}, nil, {"b.jpg"}} {
		if got, err := delivered(t, p.watch(t, o)); !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
			t.Errorf("delivered %q, %v; want %q", got, err, want)
		}
		if want == nil {
			p.fill(t, "b.jpg") // another file
		}
	}
}

// A file that is open for write is read when its writer has closed it.
func TestWaitsForWriter(t *testing.T) {
	p := newPlace(t)
	p.fill(t, "first.jpg")
	name := path.Dir(p.config.Root) + "/in/slow.jpg"
	writing, err := cluster(t).BeginWrite(t.Context(), name) // "the beginning "
	if err != nil {
		t.Fatal(err)
	}
	w := p.watch(t, directory.Options{After: directory.Delete, Follow: true})
	if f, err := w.Next(t.Context()); err != nil || f.Path != "first.jpg" {
		t.Fatalf("%+v, %v", f, err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if f, err := w.Next(soon); err == nil {
		t.Fatalf("read %+v", f)
	}
	if _, err := writing.Write([]byte("and the end")); err != nil {
		t.Fatal(err)
	}
	if err := writing.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := w.Next(t.Context()); err != nil || string(f.Content) != "the beginning and the end" {
		t.Fatalf("%+v, %v", f, err)
	}
}
