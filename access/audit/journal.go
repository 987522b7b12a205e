package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
)

// A Journal keeps the lines of a log in a database, together with its anchor.
type Journal interface {
	// AppendLine calls next with the end of the log, and stores the line and the new
	// position in one transaction, in which nobody else appends. If another
	// transaction makes it fail, it calls next again.
	AppendLine(ctx context.Context, next func(End) (line []byte, p Position, err error)) error
	// End returns the end of the log.
	End(ctx context.Context) (End, error)
	// ReadLines calls f with the end of the log and all its lines, the oldest first,
	// from one state.
	ReadLines(ctx context.Context, f func(end End, lines iter.Seq2[[]byte, error]) error) error
}

// An End is the end of a log: its anchor and its last line, nil if it has none. Lines do
// not have the character that ends them.
type End struct {
	Anchor
	Line []byte
}

// InJournal returns the log that a journal keeps.
func InJournal(j Journal) Log { return journaled{j} }

type journaled struct{ journal Journal }

// place is the file that Verify names.
const place = "database"

func (l journaled) Append(ctx context.Context, r Record) error {
	return named(l.journal.AppendLine(ctx, func(end End) ([]byte, Position, error) { return r.lineAfter(end.Anchor) }))
}

// lineAfter is after without the end of the line.
func (r Record) lineAfter(a Anchor) ([]byte, Position, error) {
	line, p, err := r.after(a)
	return bytes.TrimSuffix(line, []byte("\n")), p, err
}

func (l journaled) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := l.journal.ReadLines(ctx, func(_ End, lines iter.Seq2[[]byte, error]) error {
			for line, err := range lines {
				if err != nil {
					return err
				}
				r, err := parseRecord(line)
				if err != nil {
					return err
				}
				if !yield(r, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Record{}, named(err))
		}
	}
}

// errEnough ends the reading of records.
var errEnough = errors.New("the caller has read enough")

func (l journaled) Verify(ctx context.Context, known ...Position) (Verification, error) {
	var c chain
	err := l.journal.ReadLines(ctx, func(end End, lines iter.Seq2[[]byte, error]) error {
		c = chain{Verification: Verification{Problems: []Problem{}}, known: append(known, end.Position), anchor: end.Anchor}
		n := 0
		for line, err := range lines {
			if err != nil {
				return err
			}
			n++
			c.link(place, n, line)
		}
		c.conclude(end.Position)
		// A record and its position are written together.
		if c.Last.Sequence == end.Sequence+1 {
			c.found(place, n, "record %d was not written by tkit", c.Last.Sequence)
		}
		return nil
	})
	return c.Verification, named(err)
}

func (l journaled) Compare(ctx context.Context) error {
	end, err := l.journal.End(ctx)
	if err != nil {
		return named(err)
	}
	last, err := end.last()
	switch {
	case err != nil:
		return nil // Verify reports it
	case last.Sequence < end.Sequence:
		return fmt.Errorf("%w: %d decisions were written to it, but it ends with decision %d", ErrMissing, end.Sequence, last.Sequence)
	case last.Sequence > end.Sequence:
		return fmt.Errorf("%w: it ends with decision %d, but its anchor is decision %d", ErrAhead, last.Sequence, end.Sequence)
	}
	return nil
}

// last returns the last record, zero if there is none.
func (e End) last() (Record, error) {
	if e.Line == nil {
		return Record{}, nil
	}
	return parseRecord(e.Line)
}

func (l journaled) Accept(ctx context.Context, r Record) error {
	return named(l.journal.AppendLine(ctx, func(end End) ([]byte, Position, error) {
		last, err := end.last()
		if err != nil {
			return nil, Position{}, err
		}
		if last.Sequence > end.Sequence {
			end.Position = Position{last.Sequence, hashOf(end.Line)}
		}
		return r.lineAfter(end.Anchor)
	}))
}

// Close implements Log. The journal belongs to its store.
func (l journaled) Close() error { return nil }

func named(err error) error {
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}
