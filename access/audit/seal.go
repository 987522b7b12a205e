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

// An Anchor is stored apart from a log, to verify the log with it.
type Anchor struct {
	// Position is the chain's end.
	Position
	// Key seals records. Whoever can write the log but not read the key cannot forge
	// a record.
	Key []byte
	// Unsealed is the last record that may have no seal, because it was written
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

// genuine reports whether the writer of a record had the key. Line is the record's
// line without its end.
func (a Anchor) genuine(r Record, line []byte) bool {
	body, found := bytes.CutSuffix(line, []byte(sealBegins+r.Seal+sealEnds))
	if r.Seal == "" || !found {
		return r.Seal == "" && r.Sequence <= a.Unsealed
	}
	return hmac.Equal([]byte(r.Seal), []byte(a.sealOf(body)))
}

var (
	// ErrMissing is the error of a log that is missing although records were
	// written.
	ErrMissing = errors.New("the audit log is missing")
	// ErrAhead is the error of a log with decisions that the database does not have:
	// the database, and the policy in it, is older than the log.
	ErrAhead = errors.New("the database is older than the audit log")
)

// Compare implements Log.
func (l *Files) Compare(ctx context.Context) error {
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
		return fmt.Errorf("%w: %d decisions were written to %s, but it has none", ErrMissing, anchor.Sequence, l.dir)
	case anchor.Sequence == 0 && end.record.Seal != "" && !genuine:
		return fmt.Errorf("%w: %s has decisions, but the database has written none: it belongs to another home, or was created again", ErrAhead, l.dir)
	case genuine && end.Sequence > anchor.Sequence+1:
		return fmt.Errorf("%w: %s ends with decision %d, but the database with decision %d", ErrAhead, l.dir, end.Sequence, anchor.Sequence)
	}
	return nil
}

// end returns the last record of the log, zero if there is none.
func (l *Files) end() (ending, error) {
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

// Accept implements Log.
func (l *Files) Accept(ctx context.Context, r Record) error {
	if err := l.catchUp(ctx); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return l.Append(ctx, r)
}

func (l *Files) catchUp(ctx context.Context) error {
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
