package blobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
)

// Local is a LocalStore in a folder of a local disk:
//
//	sha256/ab/abcd…   the blobs, read-only, in a folder by their first digits
//	writing/          files being written
//	lock              locked by holders, shared, and by Collect, exclusively
//
// Folders and files are readable by their owner only.
type Local struct {
	root string

	mu       sync.Mutex
	verified map[Digest]*verification
}

var _ LocalStore = (*Local)(nil)

// NewLocal opens the store in the folder root, which is created if it is
// missing.
func NewLocal(root string) (*Local, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	for _, dir := range []string{root, filepath.Join(root, "sha256"), filepath.Join(root, "writing")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("blobs: %w", err)
		}
	}
	return &Local{root: root, verified: make(map[Digest]*verification)}, nil
}

// path returns the path of a blob, whether it exists or not.
func (l *Local) path(d Digest) (string, error) {
	digits, err := d.digits()
	if err != nil {
		return "", err
	}
	return filepath.Join(l.root, "sha256", digits[:2], digits), nil
}

// Stat implements Store.
func (l *Local) Stat(_ context.Context, d Digest) (Blob, error) {
	path, err := l.path(d)
	if err != nil {
		return Blob{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Blob{}, missing(d, err)
	}
	return Blob{Digest: d, Size: info.Size()}, nil
}

// Open implements Store.
func (l *Local) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	path, err := l.path(d)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(d, err)
	}
	return &checkedFile{f: f, ctx: ctx, want: d, hash: sha256.New()}, nil
}

// All implements Store.
func (l *Local) All(ctx context.Context) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		stop := errors.New("stop")
		err := filepath.WalkDir(filepath.Join(l.root, "sha256"), func(path string, e fs.DirEntry, err error) error {
			if err := errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if e.IsDir() {
				return nil
			}
			d, err := ParseDigest(algorithm + e.Name())
			if err != nil {
				return fmt.Errorf("%s does not belong in a blob store: %w", path, err)
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) { // collected in the meantime
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Blob{Digest: d, Size: info.Size()}, nil) {
				return stop
			}
			return nil
		})
		if err != nil && err != stop {
			yield(Blob{}, fmt.Errorf("blobs: %w", err))
		}
	}
}

// checkedFile hashes a blob while it is read and checks the digest at the end.
type checkedFile struct {
	f    *os.File
	ctx  context.Context
	want Digest
	hash hash.Hash
}

func (c *checkedFile) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.f.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF && digestOf(c.hash) != c.want {
		err = corrupt(c.want, c.f.Name())
	}
	return n, err
}

func (c *checkedFile) Close() error { return c.f.Close() }

func corrupt(d Digest, path string) error {
	return fmt.Errorf("blob %s in %s: %w", d, path, ErrCorrupt)
}

// missing adds the blob to an error of the file system.
func missing(d Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %s is not in the store: %w", d, err)
	}
	return fmt.Errorf("blob %s: %w", d, err)
}
