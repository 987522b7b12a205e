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
func (l *Local) Put(ctx context.Context, r io.Reader) (Blob, error) {
	release, err := l.Hold(ctx)
	if err != nil {
		return Blob{}, err
	}
	defer release()
	return l.put(ctx, r)
}

func (l *Local) put(ctx context.Context, r io.Reader) (b Blob, err error) {
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

// PutFile implements Store. The blob is a hard link to the file if the file
// system allows one, otherwise a copy.
func (l *Local) PutFile(ctx context.Context, path string) (Blob, error) {
	release, err := l.Hold(ctx)
	if err != nil {
		return Blob{}, err
	}
	defer release()
	f, err := os.Open(path)
	if err != nil {
		return Blob{}, fmt.Errorf("blobs: %w", err)
	}
	defer f.Close()
	temporary := l.temporary()
	if !link(f, temporary) {
		return l.put(ctx, f)
	}
	defer os.Remove(temporary)
	// The linked file is hashed, since path may name another file by now.
	linked, err := os.Open(temporary)
	if err != nil {
		return Blob{}, fmt.Errorf("blobs: %w", err)
	}
	defer linked.Close()
	h := sha256.New()
	n, err := io.Copy(h, reader{ctx, linked})
	if err != nil {
		return Blob{}, fmt.Errorf("blobs: reading %s: %w", path, err)
	}
	b := Blob{Digest: digestOf(h), Size: n}
	if there, err := l.sound(ctx, b.Digest); there || err != nil {
		return b, err
	}
	return b, l.publish(linked, b.Digest)
}

// link makes temporary a hard link to the regular file f, which becomes read-only. It
// returns false if that is not possible, because the file belongs to another user or
// is on another file system.
func link(f *os.File, temporary string) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if err := os.Link(f.Name(), temporary); err != nil {
		return false
	}
	if linked, err := os.Stat(temporary); err == nil && os.SameFile(info, linked) && f.Chmod(0o400) == nil {
		return true
	}
	os.Remove(temporary)
	return false
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
