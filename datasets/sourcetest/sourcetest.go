// Package sourcetest is the test suite for implementations of datasets.Source.
// The test of a new source says how to store files, and calls Run.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"tkit/datasets"
)

// File is an example to be stored with this key. It must be listed with this
// label and these bytes.
type File struct {
	Key, Label string
	Bytes      []byte
}

// Fixture is a source that the suite can modify. The functions report failures
// to the test they were made with.
type Fixture struct {
	Source datasets.Source
	// Reopen opens a URI of the source, like a later process.
	Reopen func(ctx context.Context, uri string) (datasets.Source, error)
	// Put stores a file, replacing one with the same key.
	Put func(File)
	// Remove deletes the file with a key.
	Remove func(key string)
	// Deny makes the file with a key unreadable but still listed.
	Deny func(key string)
	// Key returns the key of the File for an example with a different key, such
	// as in shards; nil if they are equal. Examples and files must have the
	// same order.
	Key func(example string) string
}

// key returns the File's key.
func (f Fixture) key(e datasets.Example) string {
	if f.Key == nil {
		return e.Key
	}
	return f.Key(e.Key)
}

// Run runs the suite. For every test, setup stores only the given files.
func Run(t *testing.T, setup func(t *testing.T, files []File) Fixture) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, func(*testing.T, []File) Fixture)
	}{
		{"Lists", lists},
		{"ListsNothing", listsNothing},
		{"ListsAgain", listsAgain},
		{"StopsListing", stopsListing},
		{"CancelsListing", cancelsListing},
		{"OpensConcurrently", opensConcurrently},
		{"CancelsReading", cancelsReading},
		{"Missing", missing},
		{"Denied", denied},
		{"Changed", changed},
		{"Moves", moves},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, setup) })
	}
}

// encoder reuses the buffers of the compression, which are much larger than a picture.
var encoder = png.Encoder{BufferPool: &buffers{}}

type buffers struct{ sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	kept, _ := b.Pool.Get().(*png.EncoderBuffer)
	return kept
}

func (b *buffers) Put(e *png.EncoderBuffer) { b.Pool.Put(e) }

// Picture returns a small PNG, different for every n.
func Picture(n int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i := 3; i < len(img.Pix); i += 4 { // opaque
		img.Pix[i] = 255
	}
	img.SetRGBA(0, 0, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255})
	var b bytes.Buffer
	if err := encoder.Encode(&b, img); err != nil { // written to memory
		panic(err)
	}
	return b.Bytes()
}

// awkward has keys that are easily sorted or escaped wrongly, in ascending
// order. Every one is below its class folder.
func awkward() []File {
	keys := []string{
		"Z/upper.png",
		"a b/with space.png",
		"a-b/x.png", // '-' sorts before '/'
		"a.b/x.png",
		"a/%41.png",
		"a/#1?.png",
		"a/b-c/x.png",
		"a/b/c/deep.png",
		"a/b0.png",
		"a/back\\slash.png",
		"a/é.png",
		"a0/x.png",
		"猫/三毛.png",
	}
	slices.Sort(keys)
	files := make([]File, len(keys))
	for i, key := range keys {
		label, _, _ := strings.Cut(key, "/")
		files[i] = File{key, label, Picture(i)}
	}
	files[0].Bytes = bytes.Repeat([]byte("not one read long. "), 200_000) // 3.8 MB
	return files
}

func numbered(n int) []File {
	files := make([]File, n)
	for i := range files {
		label := fmt.Sprint("class", i%2)
		files[i] = File{fmt.Sprintf("%s/%04d.png", label, i), label, Picture(i)}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Key, b.Key) })
	return files
}

func list(t *testing.T, src datasets.Source) []datasets.Example {
	t.Helper()
	var examples []datasets.Example
	for e, err := range src.Examples(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		examples = append(examples, e)
	}
	return examples
}

func (f Fixture) find(t *testing.T, key string) datasets.Example {
	t.Helper()
	for _, e := range list(t, f.Source) {
		if f.key(e) == key {
			return e
		}
	}
	t.Fatalf("%s is not listed", key)
	return datasets.Example{}
}

func read(ctx context.Context, e datasets.Example) ([]byte, error) {
	r, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func lists(t *testing.T, setup func(*testing.T, []File) Fixture) {
	want := awkward()
	f := setup(t, want)
	got := list(t, f.Source)
	for i, e := range got {
		if i < len(want) && (f.key(e) != want[i].Key || e.Label != want[i].Label) {
			t.Fatalf("place %d: got %q labelled %q, want %q labelled %q", i, e.Key, e.Label, want[i].Key, want[i].Label)
		}
		if b, err := read(t.Context(), e); err != nil || i < len(want) && !bytes.Equal(b, want[i].Bytes) {
			t.Errorf("%s: %d bytes that are not those stored, %v", e.Key, len(b), err)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d examples are listed of %d", len(got), len(want))
	}
}

func listsNothing(t *testing.T, setup func(*testing.T, []File) Fixture) {
	src := setup(t, nil).Source
	if n := len(list(t, src)); n != 0 {
		t.Errorf("%d examples in an empty source", n)
	}
	if _, _, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{}); !errors.Is(err, datasets.ErrNoExamples) {
		t.Errorf("a snapshot of nothing: %v", err)
	}
}

func listsAgain(t *testing.T, setup func(*testing.T, []File) Fixture) {
	f := setup(t, numbered(20))
	before := len(list(t, f.Source))
	f.Put(File{"class1/new.png", "class1", Picture(99)})
	if after := len(list(t, f.Source)); before != 20 || after != 21 {
		t.Errorf("%d examples, and %d after one was added", before, after)
	}
}

func stopsListing(t *testing.T, setup func(*testing.T, []File) Fixture) {
	src := setup(t, numbered(20)).Source
	n := 0
	for e, err := range src.Examples(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			if _, err := read(t.Context(), e); err != nil {
				t.Errorf("reading while listing: %v", err)
			}
			break
		}
	}
	if n := len(list(t, src)); n != 20 {
		t.Errorf("%d examples after a cancelled listing", n)
	}
}

func cancelsListing(t *testing.T, setup func(*testing.T, []File) Fixture) {
	src := setup(t, numbered(20)).Source
	ctx, cancel := context.WithCancel(t.Context())
	n, failed := 0, error(nil)
	for _, err := range src.Examples(ctx) {
		if failed != nil {
			t.Fatal("an element follows the error")
		}
		if err != nil {
			failed = err
			continue
		}
		if n++; n == 3 {
			cancel()
		}
	}
	cancel()
	if !errors.Is(failed, context.Canceled) {
		t.Errorf("a cancelled listing ends after %d of 20 with %v", n, failed)
	}
	for _, err := range src.Examples(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a listing begun after the cancel yields %v", err)
		}
	}
}

func opensConcurrently(t *testing.T, setup func(*testing.T, []File) Fixture) {
	want := numbered(8)
	examples := list(t, setup(t, want).Source)
	if len(examples) != len(want) {
		t.Fatalf("%d examples", len(examples))
	}
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			at := i % len(want)
			if b, err := read(t.Context(), examples[at]); err != nil || !bytes.Equal(b, want[at].Bytes) {
				t.Errorf("%s: %d bytes, %v", want[at].Key, len(b), err)
			}
		})
	}
	group.Wait()
}

func cancelsReading(t *testing.T, setup func(*testing.T, []File) Fixture) {
	files := awkward()
	example := setup(t, files).find(t, files[0].Key)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := example.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on after the cancel: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := read(ctx, example); !errors.Is(err, context.Canceled) {
		t.Errorf("opening after the cancel: %v", err)
	}
}

func missing(t *testing.T, setup func(*testing.T, []File) Fixture) {
	files := numbered(4)
	f := setup(t, files)
	example := f.find(t, files[1].Key)
	snapshot := take(t, f.Source)
	f.Remove(files[1].Key)
	if _, err := read(t.Context(), example); !errors.Is(err, fs.ErrNotExist) && (f.Key == nil || !errors.Is(err, datasets.ErrChanged)) || errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("reading what was removed: %v", err)
	}
	var last error
	n := 0
	for _, err := range snapshot.Match(t.Context(), f.Source) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 1 || !errors.Is(last, datasets.ErrChanged) || !strings.Contains(last.Error(), files[1].Key) {
		t.Errorf("%d entries match, then: %v", n, last)
	}
}

func denied(t *testing.T, setup func(*testing.T, []File) Fixture) {
	files := numbered(6)
	f := setup(t, files)
	example := f.find(t, files[2].Key)
	f.Deny(files[2].Key)
	if _, err := read(t.Context(), example); err == nil || errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("reading what was listed before: %v", err)
	}
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), f.Source, datasets.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Quarantined) != 1 || f.key(datasets.Example{Key: report.Quarantined[0].Key}) != files[2].Key {
		t.Errorf("quarantined: %v", report.Quarantined)
	}
	if len(snapshot.Entries) != 5 {
		t.Errorf("%d of the 5 others are used", len(snapshot.Entries))
	}
}

func changed(t *testing.T, setup func(*testing.T, []File) Fixture) {
	files := numbered(2)
	f := setup(t, files)
	key, label, original := files[0].Key, files[0].Label, files[0].Bytes
	entry := take(t, f.Source).Entries[0]
	example := f.find(t, key)
	if b, err := datasets.ReadVerified(t.Context(), example, entry); err != nil || !bytes.Equal(b, original) {
		t.Fatalf("unchanged: %v", err)
	}
	flipped := bytes.Clone(original)
	flipped[len(flipped)/2] ^= 1
	for name, b := range map[string][]byte{
		"one bit":  flipped,
		"shorter":  original[:len(original)-1],
		"longer":   append(bytes.Clone(original), 0),
		"no bytes": {},
	} {
		f.Put(File{key, label, b})
		for when, example := range map[string]datasets.Example{"before": example, "after": f.find(t, key)} {
			if b, err := datasets.ReadVerified(t.Context(), example, entry); !errors.Is(err, datasets.ErrChanged) || b != nil {
				t.Errorf("%s, listed %s the change: %d bytes, %v", name, when, len(b), err)
			}
		}
	}
	f.Put(File{key, label, original})
	if _, err := datasets.ReadVerified(t.Context(), f.find(t, key), entry); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// moves opens the source's URI like another process.
func moves(t *testing.T, setup func(*testing.T, []File) Fixture) {
	f := setup(t, awkward()[1:])
	again, err := f.Reopen(t.Context(), f.Source.URI())
	if err != nil {
		t.Fatal(err)
	}
	if again.URI() != f.Source.URI() {
		t.Errorf("%s becomes %s", f.Source.URI(), again.URI())
	}
	if one, two := take(t, f.Source), take(t, again); one.Digest != two.Digest {
		t.Errorf("the snapshots are %s and %s", one.Digest, two.Digest)
	}
}

func take(t *testing.T, src datasets.Source) *datasets.Snapshot {
	t.Helper()
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Quarantined) > 0 {
		t.Fatalf("quarantined: %v", report.Quarantined)
	}
	return snapshot
}
