// Package shardstest runs sourcetest, the suite of every source, for a format
// with many images in a file. The test of a new format says how to pack files
// into a shard, and calls Run.
package shardstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/local"
	"tkit/datasets/shards"
	"tkit/datasets/sourcetest"
)

// File is a file to be packed, with its key and label.
type File struct {
	sourcetest.File
	// Denied means that it must be listed but not readable.
	Denied bool
}

// Format is the format under test.
type Format struct {
	Extension string // of shards, including the dot
	// Pack makes a shard of files, in order.
	Pack func(t testing.TB, packed []File) []byte
	// New opens the source.
	New func(tree files.Tree, c shards.Config) (*shards.Source, error)
	// Open opens a URI, like a later process.
	Open func(ctx context.Context, uri string) (datasets.Source, error)
}

// Run runs the suite over shards in a local folder. Each shard has five files,
// so that there are several shards, and some end within a read.
func Run(t *testing.T, f Format) {
	for name, trust := range map[string]time.Duration{"Asking": -1, "Trusting": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T, stored []sourcetest.File) sourcetest.Fixture {
				return f.fixture(t, stored, trust)
			})
		})
	}
}

func (f Format) fixture(t *testing.T, stored []sourcetest.File, trust time.Duration) sourcetest.Fixture {
	p := &packed{t: t, format: f, root: filepath.Join(t.TempDir(), "shards #1 ?%41")}
	must(t, os.Mkdir(p.root, 0o755))
	for _, s := range stored {
		p.files = append(p.files, File{File: s})
	}
	p.store()
	return sourcetest.Fixture{
		Source: f.open(t, p.root, shards.Config{Trust: trust}),
		Reopen: func(ctx context.Context, uri string) (datasets.Source, error) {
			return f.Open(ctx, uri)
		},
		Put:    func(s sourcetest.File) { p.put(File{File: s}) },
		Remove: p.remove,
		Deny: func(key string) {
			p.put(File{File: sourcetest.File{Key: key, Label: strings.Split(key, "/")[0], Bytes: []byte("denied")}, Denied: true})
		},
		Key: Member,
	}
}

// Member returns the name within its shard at the end of an example's key.
func Member(key string) string {
	_, within, _ := strings.Cut(key, "!")
	_, member, _ := strings.Cut(within, "/")
	return member
}

func (f Format) open(t *testing.T, root string, c shards.Config) *shards.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: root})
	must(t, err)
	src, err := f.New(tree, c)
	must(t, err)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

// packed holds files in shards of five.
type packed struct {
	t      *testing.T
	format Format
	root   string
	files  []File
	writes int
}

func (p *packed) put(f File) {
	p.t.Helper()
	at, found := p.find(f.Key)
	if found {
		p.files[at] = f
	} else {
		p.files = slices.Insert(p.files, at, f)
	}
	p.store()
}

func (p *packed) remove(key string) {
	p.t.Helper()
	at, found := p.find(key)
	if !found {
		p.t.Fatalf("%s is not stored", key)
	}
	p.files = slices.Delete(p.files, at, at+1)
	p.store()
}

func (p *packed) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p.files, key, func(f File, key string) int { return strings.Compare(f.Key, key) })
}

// store writes the changed shards. A new one replaces the old one atomically
// and has a time one hour ago, like shards that were not just written: for new
// files a local tree cannot distinguish two states by time.
func (p *packed) store() {
	p.t.Helper()
	number := 0
	for part := range slices.Chunk(p.files, 5) {
		path := filepath.Join(p.root, fmt.Sprintf("shard-%03d%s", number, p.format.Extension))
		number++
		b := p.format.Pack(p.t, part)
		if is, err := os.ReadFile(path); err == nil && bytes.Equal(is, b) {
			continue
		}
		p.writes++
		must(p.t, os.WriteFile(path+"~", b, 0o644))
		then := time.Now().Add(-time.Hour + time.Duration(p.writes)*time.Second)
		must(p.t, os.Chtimes(path+"~", then, then))
		must(p.t, os.Rename(path+"~", path))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Write stores shards by name in a new folder, with times one hour ago.
func Write(t testing.TB, stored map[string][]byte) (root string) {
	t.Helper()
	root = t.TempDir()
	then := time.Now().Add(-time.Hour)
	for name, b := range stored {
		path := filepath.Join(root, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, b, 0o644))
		must(t, os.Chtimes(path, then, then))
	}
	return root
}

// Found is an example as found.
type Found struct {
	Label, Group, Split string
	Bytes               string
	Err                 error // of opening or reading
}

// List lists a source and reads everything listed. The error is the listing's.
func List(ctx context.Context, src datasets.Source) (keys []string, found map[string]Found, err error) {
	found = make(map[string]Found)
	for e, err := range src.Examples(ctx) {
		if err != nil {
			return keys, found, err
		}
		b, err := read(ctx, e)
		keys = append(keys, e.Key)
		found[e.Key] = Found{e.Label, e.Group, e.Split, string(b), err}
	}
	return keys, found, nil
}

func read(ctx context.Context, e datasets.Example) ([]byte, error) {
	r, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// Take lists a single shard with the given bytes, for fuzzing, and reads what
// it lists. It fails the test if an image is larger than the shard could hold
// uncompressed.
func Take(t testing.TB, f Format, b []byte, limit int) {
	src, err := f.New(memory(b), shards.Config{File: "shard"})
	must(t, err)
	defer src.Close()
	_, found, err := List(t.Context(), src)
	for key, is := range found {
		if is.Err == nil && len(is.Bytes) > limit {
			t.Errorf("%s has %d bytes of a shard of %d (%v)", key, len(is.Bytes), len(b), err)
		}
	}
}

// memory is a tree with one file, shard.
type memory []byte

func (m memory) URI() string { return "memory://shard" }

func (m memory) Stat(context.Context, string) (files.Info, error) {
	return files.Info{Path: "shard", Size: int64(len(m)), Identity: "the only one"}, nil
}

func (m memory) List(context.Context, string) iter.Seq2[files.Info, error] {
	return func(yield func(files.Info, error) bool) { yield(m.Stat(context.Background(), "shard")) }
}

func (m memory) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m[min(offset, int64(len(m))):])), nil
}

func (m memory) Close() error { return nil }
