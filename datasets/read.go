package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
)

// ReadVerified reads a whole example and checks that its size and SHA-256 match
// the snapshot. Otherwise the error wraps ErrChanged. A read that ends early
// without an error, as in some stores, is detected the same way. At most one
// byte more than the entry's size is read.
func ReadVerified(ctx context.Context, example Example, entry Entry) ([]byte, error) {
	b, err := readSized(ctx, example, entry.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entry.Key, denied(err))
	}
	if int64(len(b)) != entry.Size {
		size := fmt.Sprint(len(b))
		if int64(len(b)) > entry.Size {
			size = "more"
		}
		return nil, fmt.Errorf("%s: %w: it had %d bytes and has %s; take a new snapshot", entry.Key, ErrChanged, entry.Size, size)
	}
	if sha256.Sum256(b) != entry.SHA256 {
		return nil, fmt.Errorf("%s: %w: other bytes of the same length; take a new snapshot", entry.Key, ErrChanged)
	}
	return b, nil
}

func readSized(ctx context.Context, example Example, size int64) (b []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rc, err := example.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rc.Close(); err == nil {
			err = e
		}
	}()
	// The size was measured, but it may come from a snapshot's file: allocate
	// in steps.
	limit := max(0, size, size+1) // the largest size has no successor
	var w bytes.Buffer
	w.Grow(int(min(limit, 1<<20)) + bytes.MinRead)
	if _, err := w.ReadFrom(io.LimitReader(rc, limit)); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// Match is an entry of a snapshot with its example.
type Match struct {
	Index   int // of the entry in the snapshot
	Entry   Entry
	Example Example
}

// Match lists the source again alongside the snapshot and yields every entry
// with its example, in order. Examples that are not in the snapshot are
// skipped: they are new, or were quarantined. An entry whose example is
// missing, or has a different label, group or split, ends the sequence with an
// error that wraps ErrChanged.
func (s *Snapshot) Match(ctx context.Context, src Source) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		i := 0
		for example, err := range src.Examples(ctx) {
			if err != nil {
				yield(Match{}, err)
				return
			}
			if i == len(s.Entries) {
				return
			}
			e := s.Entries[i]
			switch {
			case example.Key < e.Key:
				continue
			case example.Key > e.Key:
				yield(Match{}, gone(e))
				return
			case example.Label != e.Label:
				yield(Match{}, became(e, "label", e.Label, example.Label))
				return
			case example.Group != e.Group:
				yield(Match{}, became(e, "group", e.Group, example.Group))
				return
			case example.Split != e.Split:
				yield(Match{}, became(e, "split", e.Split, example.Split))
				return
			}
			if !yield(Match{Index: i, Entry: e, Example: example}, nil) {
				return
			}
			i++
		}
		if i < len(s.Entries) {
			yield(Match{}, gone(s.Entries[i]))
		}
	}
}

func became(e Entry, what, was, is string) error {
	return fmt.Errorf("%s: %w: its %s was %q and is %q; take a new snapshot", e.Key, ErrChanged, what, was, is)
}

func gone(e Entry) error {
	return fmt.Errorf("%s: %w: it no longer exists; take a new snapshot", e.Key, ErrChanged)
}
