package blobs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tkit/internal/durable"
)

// Put implements Store.
func (l *Local) Put(ctx context.Context, r io.Reader) (b Blob, err error) {
	release, err := l.Hold(ctx)
	if err != nil {
		return Blob{}, err
	}
	defer release()
	temporary := l.temporary()
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Blob{}, fmt.Errorf("blobs: %w", err)
	}
	defer os.Remove(temporary)
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), reader{ctx, r})
	if err != nil {
		return Blob{}, fmt.Errorf("blobs: writing: %w", err)
	}
	b = Blob{Digest: digestOf(h), Size: n}
	if there, err := l.sound(ctx, b.Digest); there || err != nil {
		return b, err
	}
	return b, l.publish(f, b.Digest)
}

// publish makes the bytes of the file f durable and then renames it to its digest. The
// name is durable when publish returns.
func (l *Local) publish(f *os.File, d Digest) error {
	path, err := l.path(d)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o400); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if err := errors.Join(durable.SyncFolder(dir), durable.SyncFolder(filepath.Dir(dir))); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	return l.remember(d, path)
}

// remember records that the file just published is verified: its bytes were hashed when
// they were written.
func (l *Local) remember(d Digest, path string) error {
	v := l.verification(d)
	v.mu.Lock()
	defer v.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return missing(d, err)
	}
	v.sound = stampOf(info)
	return nil
}

// temporary returns a path that no other writer uses.
func (l *Local) temporary() string {
	return filepath.Join(l.root, "writing", rand.Text())
}

// reader is a reader that fails when its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
