// Package folder writes images and their records into a local folder.
package folder

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"tkit/internal/durable"
	"tkit/internal/workfolder"
)

// A Sink is a folder with two files for each image: the image and its record, in
// JSON. Their name is the image's SHA-256, so that writing an image again does not
// make another one. They are in 256 subfolders by the first byte of the SHA-256. The
// files are private to their owner. Its methods may be called concurrently, also by
// several processes.
type Sink struct {
	folder    string
	temporary *workfolder.Folder // files that are being written

	mu   sync.Mutex
	made map[string]bool // subfolders that are durable
}

// Open opens a sink and creates its folder. The caller closes the sink.
func Open(path string) (*Sink, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	temporary, err := workfolder.New(path, ".tkit-writing-")
	if err != nil {
		return nil, err
	}
	return &Sink{folder: path, temporary: temporary, made: make(map[string]bool)}, nil
}

// Close ends the use of the sink.
func (s *Sink) Close() error { return s.temporary.Close() }

// Write writes an image and its record, and returns when they are on disk under
// their names. An image has its name only when its record is complete. A record
// that exists is replaced.
func (s *Sink) Write(_ context.Context, sum [32]byte, extension string, image, record []byte) error {
	name := hex.EncodeToString(sum[:])
	dir := filepath.Join(s.folder, name[:2])
	if err := s.makeFolder(dir); err != nil {
		return err
	}
	base := filepath.Join(dir, name)
	if err := durable.ReplaceFile(s.temporary.Path, base+".json", record, 0o600); err != nil {
		return err
	}
	// A complete image of this name has this content.
	if info, err := os.Lstat(base + extension); err != nil || info.Size() != int64(len(image)) {
		if err := durable.ReplaceFile(s.temporary.Path, base+extension, image, 0o600); err != nil {
			return err
		}
	}
	return durable.SyncFolder(dir)
}

// makeFolder makes a subfolder.
func (s *Sink) makeFolder(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made[dir] {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := durable.SyncFolder(s.folder); err != nil {
		return fmt.Errorf("folder %s: %w", s.folder, err)
	}
	s.made[dir] = true
	return nil
}
