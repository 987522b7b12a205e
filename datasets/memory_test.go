package datasets_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
)

// memory is a source of files in memory, for faults that a folder cannot cause.
// The label is the first element of the key.
type memory struct {
	files []memoryFile
	err   error // ends the listing
}

type memoryFile struct {
	key   string
	bytes []byte
	open  error     // instead of opening
	read  error     // after the bytes, instead of the end
	slow  chan bool // opening waits for it
}

func (m *memory) URI() string { return "memory://test" }

func (m *memory) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		for _, f := range m.files {
			if err := ctx.Err(); err != nil {
				yield(datasets.Example{}, err)
				return
			}
			label, _, within := strings.Cut(f.key, "/")
			if !within {
				label = ""
			}
			if !yield(datasets.Example{Key: f.key, Label: label, Open: f.opener()}, nil) {
				return
			}
		}
		if m.err != nil {
			yield(datasets.Example{}, m.err)
		}
	}
}

func (f memoryFile) opener() func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		if f.slow != nil {
			select {
			case <-f.slow:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if f.open != nil {
			return nil, f.open
		}
		var r io.Reader = bytes.NewReader(f.bytes)
		if f.read != nil {
			r = io.MultiReader(r, failing{f.read})
		}
		return io.NopCloser(r), nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func of(files ...memoryFile) *memory { return &memory{files: files} }

func (m *memory) sort() {
	slices.SortFunc(m.files, func(a, b memoryFile) int { return strings.Compare(a.key, b.key) })
}

func take(t *testing.T, src datasets.Source) (*datasets.Snapshot, *datasets.Report) {
	t.Helper()
	s, r, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// synthetic returns a snapshot of n different images of each class.
func synthetic(t testing.TB, classes, n int) *datasets.Snapshot {
	t.Helper()
	var entries []datasets.Entry
	for c := range classes {
		for i := range n {
			label := fmt.Sprintf("class%03d", c)
			key := fmt.Sprintf("%s/%06d.png", label, i)
			entries = append(entries, datasets.Entry{Key: key, Label: label, Size: int64(i), SHA256: sha256.Sum256([]byte(key))})
		}
	}
	return snapshotOf(t, entries)
}

func snapshotOf(t testing.TB, entries []datasets.Entry) *datasets.Snapshot {
	t.Helper()
	slices.SortFunc(entries, func(a, b datasets.Entry) int { return strings.Compare(a.Key, b.Key) })
	s, err := datasets.NewSnapshot("memory://test", entries)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
