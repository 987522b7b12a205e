package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
)

// ReadVerified reads an example whole and makes sure that it is what the
// snapshot recorded: of the same size and SHA-256. Otherwise the error wraps
// ErrChanged. A read that ends early without an error, as some stores have
// it, is noticed the same way. At most one byte more than the entry's size is
// read.
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
	// The size is of a file read whole before, but it may come from a
	// snapshot's file: allocate for it in steps.
	limit := max(0, size, size+1) // the largest size has no successor
	var w bytes.Buffer
	w.Grow(int(min(limit, 1<<20)) + bytes.MinRead)
	if _, err := w.ReadFrom(io.LimitReader(rc, limit)); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// Match is an entry of a snapshot and the example that it is of.
type Match struct {
	Index   int // of the entry in the snapshot
	Entry   Entry
	Example Example
}

// Match lists the source once more beside the snapshot and yields every entry
// with the example that can be opened, in order. Examples that the snapshot
// does not have are passed over: they are new, or were quarantined. An entry
// whose example is gone, or has another label, group or split, ends the sequence with an
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
	return fmt.Errorf("%s: %w: it is gone; take a new snapshot", e.Key, ErrChanged)
}
