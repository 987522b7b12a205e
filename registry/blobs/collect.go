package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Hold implements Store.
func (l *Local) Hold(ctx context.Context) (release func(), err error) {
	release, err = l.lock(ctx, syscall.LOCK_SH)
	if err != nil {
		return nil, fmt.Errorf("blobs: waiting for a collection of unused blobs to end: %w", err)
	}
	return release, nil
}

// Collect implements Store.
func (l *Local) Collect(ctx context.Context, dry bool, used func(context.Context) (map[Digest]bool, error)) (Collected, error) {
	release, err := l.lock(ctx, syscall.LOCK_EX)
	if err != nil {
		return Collected{}, fmt.Errorf("blobs: waiting for registrations in progress to end: %w", err)
	}
	defer release()
	keep, err := used(ctx)
	if err != nil {
		return Collected{}, fmt.Errorf("blobs: asking what is in use: %w", err)
	}
	c, err := l.removeLeavings(dry)
	if err != nil {
		return c, err
	}
	for b, err := range l.All(ctx) {
		if err != nil {
			return c, err
		}
		if keep[b.Digest] {
			continue
		}
		if !dry {
			if err := l.remove(b.Digest); err != nil {
				return c, err
			}
		}
		c.Blobs = append(c.Blobs, b)
		c.Bytes += b.Size
	}
	return c, nil
}

// removeLeavings removes the unfinished files: nobody writes while the store is locked
// exclusively.
func (l *Local) removeLeavings(dry bool) (Collected, error) {
	c := Collected{Blobs: []Blob{}}
	dir := filepath.Join(l.root, "writing")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return c, fmt.Errorf("blobs: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return c, fmt.Errorf("blobs: %w", err)
		}
		if !dry {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return c, fmt.Errorf("blobs: %w", err)
			}
		}
		c.Leavings++
		c.Bytes += info.Size()
	}
	return c, nil
}

func (l *Local) remove(d Digest) error {
	path, err := l.path(d)
	if err != nil {
		return err
	}
	l.mu.Lock()
	delete(l.verified, d)
	l.mu.Unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blobs: %w", err)
	}
	return nil
}

// lock locks the store, shared or exclusively. The kernel unlocks it when the process
// ends.
func (l *Local) lock(ctx context.Context, how int) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(l.root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// A context cannot interrupt a blocked flock, so poll for the lock.
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
