package blobstest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"tkit/registry/blobs"
)

// using returns a function that reports blobs as in use to Collect.
func using(used ...blobs.Blob) func(context.Context) (map[blobs.Digest]bool, error) {
	m := make(map[blobs.Digest]bool)
	for _, b := range used {
		m[b.Digest] = true
	}
	return func(context.Context) (map[blobs.Digest]bool, error) { return m, nil }
}

func collect(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	kept, dropped := put(t, s, "kept"), put(t, s, "dropped")
	if err := s.Verify(t.Context(), dropped.Digest); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		c, err := s.Collect(t.Context(), dry, using(kept))
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Blobs) != 1 || c.Blobs[0] != dropped || c.Bytes != dropped.Size {
			t.Errorf("Collect(dry %t) = %+v, want the one blob not in use", dry, c)
		}
		_, err = s.Stat(t.Context(), dropped.Digest)
		if gone := errors.Is(err, fs.ErrNotExist); gone == dry {
			t.Errorf("Collect(dry %t): Stat of the blob says %v", dry, err)
		}
	}
	if err := s.Verify(t.Context(), dropped.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Verify of a collected blob: %v, want fs.ErrNotExist", err)
	}
	holds(t, s, []byte("kept"))
	put(t, s, "dropped")
	holds(t, s, []byte("dropped"))

	refusal := errors.New("the database is unavailable")
	_, err := s.Collect(t.Context(), false, func(context.Context) (map[blobs.Digest]bool, error) { return nil, refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("Collect with a failing used: %v", err)
	}
	if len(all(t, s)) != 2 {
		t.Error("Collect removed blobs without knowing which are in use")
	}
}

func holder(t *testing.T, k Kind, name string) {
	s, other := k.Open(t, name), k.Open(t, name)
	release, err := s.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.Hold(t.Context())
	if err != nil {
		t.Fatal("two holders at the same time:", err)
	}
	again()
	b := put(t, s, "being registered") // a holder may continue to put

	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := other.Collect(short, false, using()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Collect beside a holder: %v, want it to wait", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := other.Collect(context.Background(), false, using(b))
		done <- err
	}()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	holds(t, s, []byte("being registered"))
}

func waitForCollection(t *testing.T, k Kind, name string) {
	s, other := k.Open(t, name), k.Open(t, name)
	_, err := s.Collect(t.Context(), false, func(ctx context.Context) (map[blobs.Digest]bool, error) {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if _, err := other.Hold(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hold during a collection: %v, want it to wait", err)
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	release, err := other.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func ended(t *testing.T, k Kind, name string) {
	s := k.Open(t, name)
	b := put(t, s, strings.Repeat("x", 1<<16))
	fresh := k.Open(t, name) // has verified nothing yet
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errPut := s.Put(ctx, bytes.NewReader([]byte("late")))
	errVerify := fresh.Verify(ctx, b.Digest)
	_, errCollect := s.Collect(ctx, false, using())
	for i, err := range []error{errPut, errVerify, errCollect} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d with an ended context: %v", i, err)
		}
	}
	holds(t, s, bytes.Repeat([]byte("x"), 1<<16))
}
