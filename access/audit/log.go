package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tkit/internal/durable"
)

// Head stores the end of the chain apart from the log, and the key that seals its
// records.
type Head interface {
	Head(ctx context.Context) (Anchor, error)
	// SetHead returns when the position is durable.
	SetHead(ctx context.Context, p Position) error
}

// fileSize is the size, in bytes, at which a log continues in a new file.
const fileSize = 64 << 20

// A Log is appended to by any number of processes. Its methods may be called
// concurrently.
type Log interface {
	// Append writes a record and returns when the record and the new end are durable.
	// The recorded action must not begin before that, and not at all if Append fails.
	Append(ctx context.Context, r Record) error
	// Records yields the log's records, the oldest first, without verifying them. An
	// error is yielded once, last.
	Records(ctx context.Context) iter.Seq2[Record, error]
	// Verify reads the whole log and returns all differences from what was written.
	// Known are positions that were stored earlier; the end is always compared. The
	// error means that it could not read the log.
	Verify(ctx context.Context, known ...Position) (Verification, error)
	// Compare compares the end of the log with its anchor. The error wraps ErrMissing
	// or ErrAhead. It does not find records that were changed; see Verify.
	Compare(ctx context.Context) error
	// Accept makes a log usable that Compare refuses, and records that. Decisions that
	// the anchor lacks are taken from the log. Records that the log lacks stay
	// missing, and Verify reports them.
	Accept(ctx context.Context, r Record) error
	// Close closes the log.
	Close() error
}

// Files is a Log in the files of a folder, whose end is stored elsewhere.
type Files struct {
	dir   string
	head  Head
	limit int64

	mu   sync.Mutex // one append of this process at a time
	lock *os.File   // and of all processes
}

// Open opens the log in a folder, which is private to its owner and created if
// missing.
func Open(dir string, head Head) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &Files{dir: dir, head: head, limit: fileSize, lock: lock}, nil
}

// Close implements Log.
func (l *Files) Close() error { return l.lock.Close() }

// Append implements Log.
func (l *Files) Append(ctx context.Context, r Record) error {
	if err := l.append(ctx, r); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func (l *Files) append(ctx context.Context, r Record) (err error) {
	head, unlock, err := l.acquire(ctx, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	f, end, err := l.newest()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// A crash may have happened between a record and its head, which is then stored
	// first, so that there is never more than one such record. Otherwise the head
	// is authoritative: Verify reports records that the file lacks or has in
	// addition.
	if end.Sequence == head.Sequence+1 && end.record.Previous == head.Hash && head.genuine(end.record, end.line) {
		if err := l.head.SetHead(ctx, end.Position); err != nil {
			return err
		}
		head.Position = end.Position
	}
	line, position, err := r.after(head)
	if err != nil {
		return err
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return l.head.SetHead(ctx, position)
}

// acquire locks the log and returns its anchor and the function that unlocks
// it.
func (l *Files) acquire(ctx context.Context, how int) (anchor Anchor, end func(), err error) {
	l.mu.Lock()
	unlock, err := l.hold(ctx, how)
	if err != nil {
		l.mu.Unlock()
		return Anchor{}, nil, err
	}
	end = func() {
		unlock()
		l.mu.Unlock()
	}
	if anchor, err = l.head.Head(ctx); err != nil {
		end()
		return Anchor{}, nil, err
	}
	return anchor, end, nil
}

// hold takes the lock of all processes, waiting for it.
func (l *Files) hold(ctx context.Context, how int) (unlock func(), err error) {
	fd := int(l.lock.Fd())
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(fd, how|unix.LOCK_NB)
		if err == nil {
			return func() { unix.Flock(fd, unix.LOCK_UN) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// newest opens the file to append to, a new one if there is none or it is full, and
// returns the last record.
func (l *Files) newest() (*os.File, ending, error) {
	names, err := files(l.dir)
	if err != nil {
		return nil, ending{}, err
	}
	if len(names) == 0 {
		f, err := l.begin(1)
		return f, ending{}, err
	}
	last := names[len(names)-1]
	f, err := os.OpenFile(filepath.Join(l.dir, last), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, ending{}, err
	}
	end, size, whole, err := tail(f)
	// A crash left a line without an end, and its action never began: remove it.
	if err == nil && whole < size {
		size, err = whole, f.Truncate(whole)
	}
	if err == nil && end.Sequence == 0 { // the file was begun, and nothing written
		end, err = l.end()
	}
	if err == nil && size < l.limit {
		return f, end, nil
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, ending{}, err
	}
	f, err = l.begin(number(last) + 1)
	return f, end, err
}

// begin creates a file.
func (l *Files) begin(n int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(l.dir, name(n)), os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := durable.SyncFolder(l.dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// An ending is the last record of a file, its position in the chain, and its line
// without the end.
type ending struct {
	Position
	record Record
	line   []byte
}

// tail returns the ending of a file, its size, and how much of that are whole lines. A
// last line that is not a record counts as none.
func tail(f *os.File) (_ ending, size, whole int64, _ error) {
	info, err := f.Stat()
	if err != nil {
		return ending{}, 0, 0, err
	}
	size = info.Size()
	from := max(0, size-maxLine-1)
	b := make([]byte, size-from)
	if _, err := f.ReadAt(b, from); err != nil {
		return ending{}, 0, 0, err
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	whole = from + int64(end)
	lines := bytes.TrimSuffix(b[:end], []byte("\n"))
	line := lines[bytes.LastIndexByte(lines, '\n')+1:]
	r, err := parseRecord(line)
	if err != nil {
		return ending{}, size, whole, nil
	}
	return ending{Position{r.Sequence, hashOf(line)}, r, line}, size, whole, nil
}

const prefix, suffix = "audit-", ".jsonl"

func name(n int) string { return fmt.Sprintf("%s%06d%s", prefix, n, suffix) }

// number returns the number of a file, 0 for a file that does not belong to the log.
func number(file string) int {
	var n int
	if _, err := fmt.Sscanf(strings.TrimSuffix(strings.TrimPrefix(file, prefix), suffix), "%d", &n); err != nil || name(n) != file {
		return 0
	}
	return n
}

// files returns the names of a log's files in order.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if number(e.Name()) > 0 {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	return names, nil
}
