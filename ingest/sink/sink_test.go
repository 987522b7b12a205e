package sink_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"tkit/ingest/folder"
	"tkit/ingest/sink"
)

func template(t *testing.T, text string) *sink.Template {
	t.Helper()
	parsed, err := sink.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// open opens a sink in a local folder. It may fail at random.
func open(t *testing.T, path, text string, failing bool) *sink.Sink {
	t.Helper()
	local, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var files sink.Files = local
	if failing {
		files = flaky{local}
	}
	s := sink.New(files, template(t, text))
	t.Cleanup(func() { s.Close() })
	return s
}

func imageOf(content, record string) sink.Image {
	sum := sha256.Sum256([]byte(content))
	return sink.Image{SHA256: hex.EncodeToString(sum[:]), Extension: ".jpg", Content: []byte(content), Record: []byte(record)}
}

// files returns the paths of the images and records, sorted.
func files(t *testing.T, path string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(path, func(file string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == ".tkit-places" {
			return fs.SkipDir
		}
		if err == nil && !e.IsDir() {
			found = append(found, strings.TrimPrefix(file, path+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWrite(t *testing.T) {
	path := t.TempDir()
	s := open(t, path, sink.DefaultTemplate, false)
	image := imageOf("image", "0")
	dir := image.SHA256[:2]
	// Another program has torn the image.
	if err := os.MkdirAll(filepath.Join(path, dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, dir, image.SHA256+".jpg"), []byte("im"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all errgroup.Group
	for i := range 20 { // the same image at the same time
		all.Go(func() error { return s.Write(t.Context(), dir, imageOf("image", fmt.Sprint(i))) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), dir, imageOf("image", "last")); err != nil {
		t.Fatal(err)
	}
	base := dir + "/" + image.SHA256
	if got, want := files(t, path), []string{base + ".jpg", base + ".json"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	for suffix, want := range map[string]string{".jpg": "image", ".json": "last"} {
		if got, err := os.ReadFile(filepath.Join(path, base+suffix)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", suffix, got, err)
		}
	}
}

// An image that gets another folder is only there.
func TestMoves(t *testing.T) {
	path := t.TempDir()
	s := open(t, path, "{label}", false)
	image := imageOf("image", "{}")
	for _, label := range []string{"cat", "cat", "dog", "cat"} {
		if err := s.Write(t.Context(), label, image); err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, path), []string{label + "/" + image.SHA256 + ".jpg", label + "/" + image.SHA256 + ".json"}; !slices.Equal(got, want) {
			t.Errorf("files %q, want %q", got, want)
		}
	}
}

// errFlaky is the failure of a store, or the end of a process, at any point.
var errFlaky = errors.New("the store has failed")

// A flaky store fails a tenth of its changes, half of them after they were made.
type flaky struct{ sink.Files }

func (f flaky) change(change func() error) error {
	n := rand.IntN(20)
	if n == 0 {
		return errFlaky
	}
	if err := change(); err != nil || n > 1 {
		return err
	}
	return errFlaky
}

func (f flaky) Put(ctx context.Context, folder string, files []sink.File) error {
	for _, one := range files {
		if err := f.change(func() error { return f.Files.Put(ctx, folder, []sink.File{one}) }); err != nil {
			return err
		}
	}
	return nil
}

func (f flaky) MakeFolder(ctx context.Context, name string) error {
	return f.change(func() error { return f.Files.MakeFolder(ctx, name) })
}

func (f flaky) Remove(ctx context.Context, folder string, names ...string) error {
	for _, name := range names {
		if err := f.change(func() error { return f.Files.Remove(ctx, folder, name) }); err != nil {
			return err
		}
	}
	return nil
}

// Deliveries that fail at any point, each into another folder, end with the image in
// the folder of the last one.
func TestMovesThroughFailures(t *testing.T) {
	path := t.TempDir()
	s := open(t, path, "{label}", true)
	image := imageOf("image", "{}")
	for i := 0; i < 50; {
		label := fmt.Sprint("label ", rand.IntN(5))
		err := s.Write(t.Context(), label, image)
		if err == nil {
			i++
			if got, want := files(t, path), []string{label + "/" + image.SHA256 + ".jpg", label + "/" + image.SHA256 + ".json"}; !slices.Equal(got, want) {
				t.Fatalf("files %q, want %q", got, want)
			}
		} else if !errors.Is(err, errFlaky) {
			t.Fatal(err)
		}
	}
}

// Two processes that deliver an image into different folders at the same time leave it
// in one of them.
func TestMovesAtTheSameTime(t *testing.T) {
	path := t.TempDir()
	for i := range 50 {
		image := imageOf(fmt.Sprint("image ", i), "{}")
		var all errgroup.Group
		for j := range 3 {
			s := open(t, path, "{label}", false)
			all.Go(func() error { return s.Write(t.Context(), fmt.Sprint(j), image) })
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := files(t, path); len(got) != 2*(i+1) {
			t.Fatalf("after %d images the files are %q", i+1, got)
		}
	}
}
