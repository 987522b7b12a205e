package datasets_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

func example(t *testing.T, f memoryFile) datasets.Example {
	t.Helper()
	for e, err := range of(f).Examples(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Fatal("nothing listed")
	return datasets.Example{}
}

func TestReadVerified(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 300_000)
	entry := datasets.Entry{Key: "a/x", Label: "a", Size: int64(len(content)), SHA256: sha256.Sum256(content)}
	reset := errors.New("connection reset")
	for _, c := range []struct {
		name string
		file memoryFile
		want error
		text string
	}{
		{"as recorded", memoryFile{bytes: content}, nil, ""},
		{"silent empty read", memoryFile{}, datasets.ErrChanged, "it had 3000000 bytes and has 0"},
		{"shorter", memoryFile{bytes: content[1:]}, datasets.ErrChanged, "has 2999999"},
		{"longer", memoryFile{bytes: append(bytes.Clone(content), 1)}, datasets.ErrChanged, "has more"},
		{"other bytes", memoryFile{bytes: bytes.Repeat([]byte("9876543210"), 300_000)}, datasets.ErrChanged, "same length"},
		{"failing", memoryFile{bytes: content[:10], read: reset}, reset, "a/x"},
		{"failing at the end", memoryFile{bytes: content, read: reset}, reset, "a/x"},
		{"unreadable", memoryFile{open: reset}, reset, "a/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.file.key = "a/x"
			b, err := datasets.ReadVerified(t.Context(), example(t, c.file), entry)
			if c.want == nil {
				if err != nil || !bytes.Equal(b, content) {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				return
			}
			if b != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
}

// An entry from a file may claim any size: it must not be allocated.
func TestReadVerifiedHugeClaim(t *testing.T) {
	for _, size := range []int64{1<<63 - 1, 1<<63 - 2, -1, -1 << 63} {
		entry := datasets.Entry{Key: "a/x", Label: "a", Size: size}
		if _, err := datasets.ReadVerified(t.Context(), example(t, memoryFile{key: "a/x"}), entry); !errors.Is(err, datasets.ErrChanged) {
			t.Errorf("%d: %v", size, err)
		}
	}
}

func TestReadVerifiedCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	opened := datasets.Example{Open: func(context.Context) (io.ReadCloser, error) {
		t.Error("it was opened")
		return nil, nil
	}}
	if _, err := datasets.ReadVerified(ctx, opened, datasets.Entry{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	p := sourcetest.Picture
	a, b, c := memoryFile{key: "a/1.png", bytes: p(1)}, memoryFile{key: "b/1.png", bytes: p(2)}, memoryFile{key: "c/1.png", bytes: p(3)}
	snapshot, _ := take(t, of(a, b, c))
	relabelled := func() datasets.Source { return relabel{of(a, b, c), "b/1.png"} }
	boom := errors.New("boom")
	for _, test := range []struct {
		name string
		src  datasets.Source
		keys string
		want error
		text string
	}{
		{"the same", of(a, b, c), "0:a/1.png 1:b/1.png 2:c/1.png", nil, ""},
		{"with more", of(memoryFile{key: "0"}, a, memoryFile{key: "a/2"}, b, c, memoryFile{key: "d/1"}), "0:a/1.png 1:b/1.png 2:c/1.png", nil, ""},
		{"first gone", of(b, c), "", datasets.ErrChanged, "a/1.png"},
		{"middle gone", of(a, c), "0:a/1.png", datasets.ErrChanged, "b/1.png"},
		{"last gone", of(a, b), "0:a/1.png 1:b/1.png", datasets.ErrChanged, "c/1.png"},
		{"all gone", of(), "", datasets.ErrChanged, "a/1.png"},
		{"relabelled", relabelled(), "0:a/1.png", datasets.ErrChanged, `its label was "b" and is "other"`},
		{"listing fails", &memory{files: []memoryFile{a}, err: boom}, "0:a/1.png", boom, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var keys []string
			var last error
			for m, err := range snapshot.Match(t.Context(), test.src) {
				if last != nil {
					t.Fatal("an element follows the error")
				}
				if last = err; err == nil {
					if m.Entry != snapshot.Entries[m.Index] || m.Example.Key != m.Entry.Key {
						t.Errorf("%+v", m)
					}
					keys = append(keys, fmt.Sprintf("%d:%s", m.Index, m.Entry.Key))
				}
			}
			if got := strings.Join(keys, " "); got != test.keys || !errors.Is(last, test.want) || test.text != "" && !strings.Contains(last.Error(), test.text) {
				t.Errorf("got %s, %v", got, last)
			}
		})
	}
	for range snapshot.Match(t.Context(), of(a, b, c)) {
		break // stopping early is allowed
	}
}

// relabel is a source in which one example has a different label.
type relabel struct {
	*memory
	key string
}

func (r relabel) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		for e, err := range r.memory.Examples(ctx) {
			if e.Key == r.key {
				e.Label = "other"
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
