package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/ingest/directory"
	"tkit/ingest/ledger"
)

// options read a new folder with short times.
func options(t *testing.T) directory.Options {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return directory.Options{
		Ledger: l, Folder: t.TempDir(), Subfolders: true, Settle: 20 * time.Millisecond, Poll: 20 * time.Millisecond, Events: true,
		MaxBytes: 1 << 20, After: directory.Delete, Log: slog.New(slog.DiscardHandler),
	}
}

func open(t *testing.T, o directory.Options) *directory.Watcher {
	t.Helper()
	w, err := directory.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, w *directory.Watcher) *directory.File {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f, err := w.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// all delivers the files that are left and returns their paths.
func all(t *testing.T, w *directory.Watcher) (paths []string) {
	t.Helper()
	for {
		f, err := w.Next(t.Context())
		if errors.Is(err, io.EOF) {
			slices.Sort(paths)
			return paths
		}
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, f.Path)
		if err := f.Delivered(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// names lists the files below a folder.
func names(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestOnce(t *testing.T) {
	o := options(t)
	for _, name := range []string{"a.jpg", "deep/er/b.jpg", ".hidden", "deep/Thumbs.db"} {
		write(t, filepath.Join(o.Folder, name), name)
	}
	if err := os.Symlink("a.jpg", filepath.Join(o.Folder, "link")); err != nil {
		t.Fatal(err)
	}
	if got, want := all(t, open(t, o)), []string{"a.jpg", "deep/er/b.jpg"}; !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
	if got := names(t, o.Folder); !slices.Equal(got, []string{".hidden", "deep/Thumbs.db", "link"}) {
		t.Errorf("left in the folder: %q", got)
	}
	o.Subfolders = false
	write(t, filepath.Join(o.Folder, "deep/c.jpg"), "c")
	if got := all(t, open(t, o)); len(got) > 0 {
		t.Errorf("delivered %q of subfolders", got)
	}
}

// A file that is still being written is delivered once, whole.
func TestWaitsForWriter(t *testing.T) {
	for _, events := range []bool{true, false} {
		t.Run(fmt.Sprintf("events %t", events), func(t *testing.T) {
			o := options(t)
			o.Follow, o.Events, o.Settle = true, events, 500*time.Millisecond
			w := open(t, o)
			f, err := os.Create(filepath.Join(o.Folder, "slow.jpg"))
			if err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			for i := range 40 {
				fmt.Fprintf(&want, "part %d;", i)
				if _, err := fmt.Fprintf(f, "part %d;", i); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if got := next(t, w); string(got.Content) != want.String() || got.Path != "slow.jpg" {
				t.Errorf("%s: %q", got.Path, got.Content)
			}
		})
	}
}

// Folders that appear later are watched too, and files that are moved into them.
func TestNewFolders(t *testing.T) {
	o := options(t)
	o.Follow, o.Poll = true, time.Hour // only by events
	w := open(t, o)
	write(t, filepath.Join(o.Folder, "first.jpg"), "1")
	first := next(t, w) // the watches are in place
	if err := first.Delivered(t.Context()); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "in/side.jpg"), "2")
	if err := os.Rename(filepath.Join(elsewhere, "in"), filepath.Join(o.Folder, "in")); err != nil {
		t.Fatal(err)
	}
	if f := next(t, w); f.Path != "in/side.jpg" {
		t.Errorf("got %s", f.Path)
	}
	write(t, filepath.Join(o.Folder, "in/later.jpg"), "3")
	if f := next(t, w); f.Path != "in/later.jpg" {
		t.Errorf("got %s", f.Path)
	}
}

// What is replaced while it is processed is delivered too, and nothing that was not
// delivered is deleted.
func TestReplacedWhileProcessed(t *testing.T) {
	o := options(t)
	o.Follow = true
	w := open(t, o)
	path := filepath.Join(o.Folder, "a.jpg")
	write(t, path, "first")
	f := next(t, w)
	write(t, path+"2", "second, longer")
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	if err := f.Delivered(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		f := next(t, w) // perhaps first that of the name before the renaming
		if err := f.Delivered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if string(f.Content) == "second, longer" {
			break
		}
	}
	if left := names(t, o.Folder); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestDeletedWhileProcessed(t *testing.T) {
	o := options(t)
	for _, o.After = range []directory.After{directory.Delete, directory.Archive} {
		o.Archive = t.TempDir()
		write(t, filepath.Join(o.Folder, "a.jpg"), "a")
		w := open(t, o)
		f := next(t, w)
		if err := os.Remove(filepath.Join(o.Folder, "a.jpg")); err != nil {
			t.Fatal(err)
		}
		if err := f.Delivered(t.Context()); err != nil {
			t.Errorf("%s: %v", o.After, err)
		}
	}
}

func TestRelease(t *testing.T) {
	o := options(t)
	write(t, filepath.Join(o.Folder, "a.jpg"), "a")
	w := open(t, o)
	next(t, w).Release()
	if f := next(t, w); f.Path != "a.jpg" || string(f.Content) != "a" {
		t.Errorf("%+v", f)
	}
}

func TestArchive(t *testing.T) {
	o := options(t)
	o.After, o.Archive = directory.Archive, filepath.Join(o.Folder, "done")
	for range 2 { // the second time the archive has the name already
		write(t, filepath.Join(o.Folder, "in/a.jpg"), "a")
		if got := all(t, open(t, o)); !slices.Equal(got, []string{"in/a.jpg"}) {
			t.Errorf("delivered %q", got)
		}
	}
	if got, want := names(t, o.Folder), []string{"done/in/a.jpg", "done/in/a~2.jpg"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

// A file that a killed run held for deletion is delivered again, under its own name.
func TestHeldByKilledRun(t *testing.T) {
	o := options(t)
	write(t, filepath.Join(o.Folder, ".tkit-held-a.jpg"), "a")
	if got := all(t, open(t, o)); !slices.Equal(got, []string{"a.jpg"}) {
		t.Errorf("delivered %q", got)
	}
	if left := names(t, o.Folder); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestKeep(t *testing.T) {
	o := options(t)
	o.After = directory.Keep
	database := filepath.Join(t.TempDir(), "ledger.db")
	run := func() []string {
		l, err := ledger.Open(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		o.Ledger = l
		w := open(t, o)
		defer w.Close()
		return all(t, w)
	}
	for i := range 30 {
		write(t, filepath.Join(o.Folder, fmt.Sprintf("%02d.jpg", i)), "a")
	}
	if got := run(); len(got) != 30 {
		t.Errorf("delivered %q", got)
	}
	if got := run(); len(got) > 0 {
		t.Errorf("delivered again: %q", got)
	}
	write(t, filepath.Join(o.Folder, "07.jpg"), "changed")
	if got := run(); !slices.Equal(got, []string{"07.jpg"}) {
		t.Errorf("delivered after a change: %q", got)
	}
}

// A file that is too large is returned once, without its content, and delivered when it
// is not too large any more. It is never deleted unread.
func TestTooLarge(t *testing.T) {
	for _, after := range []directory.After{directory.Keep, directory.Delete} {
		o := options(t)
		o.MaxBytes, o.After = 3, after
		write(t, filepath.Join(o.Folder, "large.jpg"), "four")
		for i, refused := range []int{1, 0} {
			w := open(t, o)
			n := 0
			for f, err := w.Next(t.Context()); !errors.Is(err, io.EOF); f, err = w.Next(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; !errors.Is(f.Refused, directory.ErrTooLarge) || f.Content != nil || f.Size != 4 {
					t.Errorf("%s: %+v", after, f)
				}
				if err := f.Delivered(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n != refused {
				t.Errorf("%s: run %d returned %d files, want %d", after, i, n, refused)
			}
		}
		o.MaxBytes = 4
		if got := all(t, open(t, o)); !slices.Equal(got, []string{"large.jpg"}) {
			t.Errorf("%s: delivered %q", after, got)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for want, change := range map[string]func(*directory.Options){
		"no such file": func(o *directory.Options) { o.Folder += "/absent" },
		"ledger":       func(o *directory.Options) { o.Ledger = nil },
		"keep, delete": func(o *directory.Options) { o.After = "burn" },
		"is missing":   func(o *directory.Options) { o.After = directory.Archive },
		"contains":     func(o *directory.Options) { o.After, o.Archive = directory.Archive, filepath.Dir(o.Folder) },
	} {
		o := options(t)
		change(&o)
		if _, err := directory.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
