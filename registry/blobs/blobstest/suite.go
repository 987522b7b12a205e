// Package blobstest is the suite that every blob store passes.
package blobstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tkit/registry/blobs"
)

// A Kind is the kind of store under test.
type Kind struct {
	// Open opens the store of a name; the same name is the same store, opened
	// once more as another process would. It is empty at first.
	Open func(t *testing.T, name string) blobs.Store
	// Damage changes a byte of a stored blob without using the store.
	Damage func(t *testing.T, name string, d blobs.Digest)
}

// Run tests the contract of the interface.
func Run(t *testing.T, k Kind) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, k Kind, name string)
	}{
		{"put and read", putAndRead},
		{"sizes", sizes},
		{"missing and malformed", missing},
		{"failed put leaves nothing", failedPut},
		{"same content at once", sameContent},
		{"damage is detected and repaired", damage},
		{"collect", collect},
		{"Collect waits for a holder", holder},
		{"Hold waits for a collection", waitForCollection},
		{"an ended context", ended},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, k, filepath.Base(t.TempDir())+fmt.Sprint(time.Now().UnixNano())) })
	}
}

func digest(b []byte) blobs.Digest { return blobs.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(b))) }

// put stores content and fails the test where that fails.
func put(t *testing.T, s blobs.Store, content string) blobs.Blob {
	t.Helper()
	b, err := s.Put(t.Context(), bytes.NewReader([]byte(content)))
	if err != nil {
		t.Fatalf("Put(%.20q): %v", content, err)
	}
	if want := (blobs.Blob{Digest: digest([]byte(content)), Size: int64(len(content))}); b != want {
		t.Fatalf("Put(%.20q) = %v, want %v", content, b, want)
	}
	return b
}

// holds checks that every method of a store returns the content.
func holds(t *testing.T, s blobs.Store, content []byte) {
	t.Helper()
	d := digest(content)
	if b, err := s.Stat(t.Context(), d); err != nil || b.Size != int64(len(content)) || b.Digest != d {
		t.Errorf("Stat = %v, %v", b, err)
	}
	r, err := s.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("Open gave %d bytes, %v; want %d", len(got), err, len(content))
	}
	if err := s.Verify(t.Context(), d); err != nil {
		t.Errorf("Verify: %v", err)
	}
	local, ok := s.(blobs.LocalStore)
	if !ok {
		return
	}
	path, err := local.Path(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("Path led to %d bytes, %v; want %d", len(got), err, len(content))
	}
}

func all(t *testing.T, s blobs.Store) map[blobs.Digest]int64 {
	t.Helper()
	found := make(map[blobs.Digest]int64)
	for b, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := found[b.Digest]; twice {
			t.Errorf("All yields %s twice", b.Digest)
		}
		found[b.Digest] = b.Size
	}
	return found
}

func putAndRead(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	put(t, s, "trunk")
	put(t, s, "head")
	put(t, s, "trunk")
	holds(t, s, []byte("trunk"))
	holds(t, k.Open(t, name), []byte("head"))
	if found := all(t, s); len(found) != 2 {
		t.Errorf("All yields %v, want two blobs", found)
	}
	for range s.All(t.Context()) {
		break
	}
}

func sizes(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	for _, n := range []int{0, 1, 4095, 1<<20 + 7} {
		content := bytes.Repeat([]byte{byte(n), 1, 2}, n/3+1)[:n]
		if _, err := s.Put(t.Context(), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		holds(t, s, content)
	}
}

func missing(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	calls := func(d blobs.Digest) []error {
		_, stat := s.Stat(t.Context(), d)
		verify := s.Verify(t.Context(), d)
		_, open := s.Open(t.Context(), d)
		return []error{stat, verify, open}
	}
	for i, err := range calls(digest([]byte("never put"))) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("call %d on a missing blob: %v, want fs.ErrNotExist", i, err)
		}
	}
	for _, d := range []blobs.Digest{"", "sha256:", "sha256:../../etc/passwd", "md5:00"} {
		for i, err := range calls(d) {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("call %d on digest %q: %v, want a refusal", i, d, err)
			}
		}
	}
}

// broken returns some bytes and then an error.
type broken struct{ given bool }

var errBroken = errors.New("the cable was cut")

func (b *broken) Read(p []byte) (int, error) {
	if b.given {
		return 0, errBroken
	}
	b.given = true
	return copy(p, "some bytes"), nil
}

func failedPut(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	if _, err := s.Put(t.Context(), new(broken)); !errors.Is(err, errBroken) {
		t.Errorf("Put from a broken reader: %v", err)
	}
	if found := all(t, s); len(found) != 0 {
		t.Errorf("a failed Put left %v", found)
	}
	c, err := s.Collect(t.Context(), true, func(context.Context) (map[blobs.Digest]bool, error) { return nil, nil })
	if err != nil || c.Leavings != 0 {
		t.Errorf("a failed Put left %d unfinished files, %v", c.Leavings, err)
	}
}

func sameContent(t *testing.T, k Kind, name string) {
	content := bytes.Repeat([]byte("the same trunk, put by many "), 20000)
	var wait sync.WaitGroup
	for range 8 {
		s := k.Open(t, name)
		wait.Go(func() {
			for range 3 {
				if _, err := s.Put(context.Background(), bytes.NewReader(content)); err != nil {
					t.Error(err)
				}
				if err := s.Verify(context.Background(), digest(content)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	s := k.Open(t, name)
	holds(t, s, content)
	if found := all(t, s); len(found) != 1 {
		t.Errorf("the store holds %v, want one blob", found)
	}
}

func damage(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	b := put(t, s, "precious weights")
	if err := s.Verify(t.Context(), b.Digest); err != nil {
		t.Fatal(err)
	}
	k.Damage(t, name, b.Digest)
	for _, s := range []blobs.Store{s, k.Open(t, name)} {
		if err := s.Verify(t.Context(), b.Digest); !errors.Is(err, blobs.ErrCorrupt) {
			t.Errorf("Verify of a damaged blob: %v, want ErrCorrupt", err)
		}
		r, err := s.Open(t.Context(), b.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, blobs.ErrCorrupt) {
			t.Errorf("reading a damaged blob: %v, want ErrCorrupt", err)
		}
		r.Close()
	}
	put(t, s, "precious weights")
	holds(t, s, []byte("precious weights"))
	holds(t, k.Open(t, name), []byte("precious weights"))
}
