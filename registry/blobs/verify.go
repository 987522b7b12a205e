package blobs

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// verification is the state of a blob's file when it was verified. Its lock is held while
// the file is hashed, so that concurrent callers hash it once.
type verification struct {
	mu    sync.Mutex
	sound stamp
}

// stamp changes if the bytes of a file change.
type stamp struct {
	size     int64
	modified time.Time
}

func stampOf(info os.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }

// Verify implements Store. It checks the bytes at the first call in this process, and
// again if the file's size or time has changed.
func (l *Local) Verify(ctx context.Context, d Digest) error {
	_, err := l.Path(ctx, d)
	return err
}

// Path implements LocalStore.
func (l *Local) Path(ctx context.Context, d Digest) (string, error) {
	path, err := l.path(d)
	if err != nil {
		return "", err
	}
	v := l.verification(d)
	v.mu.Lock()
	defer v.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", missing(d, err)
	}
	if stampOf(info) == v.sound {
		return path, nil
	}
	r, err := l.Open(ctx, d)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return "", err
	}
	v.sound = stampOf(info)
	return path, nil
}

func (l *Local) verification(d Digest) *verification {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.verified[d]
	if v == nil {
		v = new(verification)
		l.verified[d] = v
	}
	return v
}

// sound reports whether a blob exists and matches its digest. The only error is the
// context's.
func (l *Local) sound(ctx context.Context, d Digest) (bool, error) {
	err := l.Verify(ctx, d)
	return err == nil, ctx.Err()
}
