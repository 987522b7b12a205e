package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// An Anchor is what is stored apart from a log to verify it with.
type Anchor struct {
	// Position is the chain's end.
	Position
	// Key seals records. Whoever can write the log but not read the key cannot forge
	// a record.
	Key []byte
	// Unsealed is the last record that may be without a seal, since it was written
	// before there was a key.
	Unsealed int64
}

// The seal is the last member of a record's line, of a fixed length.
const (
	sealBegins = `,"seal":"`
	sealEnds   = `"}`
)

// seal adds the seal to a record's line.
func (a Anchor) seal(line []byte) []byte {
	body := bytes.TrimSuffix(line, []byte("}\n"))
	sealed := append(bytes.Clone(body), sealBegins...)
	sealed = append(sealed, a.sealOf(body)...)
	return append(sealed, sealEnds+"\n"...)
}

func (a Anchor) sealOf(body []byte) string {
	h := hmac.New(sha256.New, a.Key)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// genuine says whether the writer of a record had the key. Line is the record's line
// without its end.
func (a Anchor) genuine(r Record, line []byte) bool {
	body, found := bytes.CutSuffix(line, []byte(sealBegins+r.Seal+sealEnds))
	if r.Seal == "" || !found {
		return r.Seal == "" && r.Sequence <= a.Unsealed
	}
	return hmac.Equal([]byte(r.Seal), []byte(a.sealOf(body)))
}

var (
	// ErrMissing is the error of a log that is gone though records were written.
	ErrMissing = errors.New("the audit log is missing")
	// ErrAhead is the error of a log with decisions that the database does not have,
	// so that the database, and the policy in it, is an older one.
	ErrAhead = errors.New("the database is older than the audit log")
)

// Compare compares the end of the log with its anchor. The error wraps ErrMissing or
// ErrAhead. It does not find records that were changed; see Verify.
func (l *Log) Compare(ctx context.Context) error {
	anchor, unlock, err := l.acquire(ctx, unix.LOCK_SH)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer unlock()
	end, err := l.end()
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	genuine := end.Sequence > 0 && anchor.genuine(end.record, end.line)
	switch {
	case end.Sequence == 0 && anchor.Sequence > 0:
		return fmt.Errorf("%w: %d decisions were written to %s, and none is there", ErrMissing, anchor.Sequence, l.dir)
	case anchor.Sequence == 0 && end.record.Seal != "" && !genuine:
		return fmt.Errorf("%w: %s has decisions, and the database has written none: it is another home's, or was made anew", ErrAhead, l.dir)
	case genuine && end.Sequence > anchor.Sequence+1:
		return fmt.Errorf("%w: %s ends with decision %d, and the database with decision %d", ErrAhead, l.dir, end.Sequence, anchor.Sequence)
	}
	return nil
}

// end returns the last record of the log, zero where there is none.
func (l *Log) end() (ending, error) {
	names, err := files(l.dir)
	if err != nil {
		return ending{}, err
	}
	for i := len(names) - 1; i >= 0; i-- { // the newest may be empty
		f, err := os.Open(filepath.Join(l.dir, names[i]))
		if err != nil {
			return ending{}, err
		}
		end, _, _, err := tail(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return ending{}, err
		}
		if end.Sequence > 0 {
			return end, nil
		}
	}
	return ending{}, nil
}

// Accept makes a log usable whose end Compare refuses, and writes a record of that.
// What the database lacks of the chain is taken from the log. What the log lacks stays
// missing, and Verify finds it.
func (l *Log) Accept(ctx context.Context, r Record) error {
	if err := l.catchUp(ctx); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return l.Append(ctx, r)
}

func (l *Log) catchUp(ctx context.Context) error {
	anchor, unlock, err := l.acquire(ctx, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	end, err := l.end()
	if err != nil || end.Sequence <= anchor.Sequence || !anchor.genuine(end.record, end.line) {
		return err
	}
	return l.head.SetHead(ctx, end.Position)
}
