// Package hdfs writes images and their records into a folder of HDFS.
package hdfs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"tkit/datasets/hdfs"
	client "tkit/internal/hdfs"
)

// A Sink is a folder with two files for each image: the image and its record, in
// JSON. Their name is the image's SHA-256, so that writing an image again does not
// make another one. They are in 256 subfolders by the first byte of the SHA-256. Its
// methods may be called concurrently, and several sinks may have the same folder.
type Sink struct {
	client *client.Client
	root   string
}

// temporary is the folder in that of the sink with the files that are being written.
// Programs of Hadoop ignore names that begin with a dot.
const temporary = ".tkit-writing"

// abandoned is the age from which a file that is being written has no writer any more:
// the writer was killed.
const abandoned = 24 * time.Hour

// Open connects to the cluster, creates the sink's folder, which is then private to
// its owner, and removes what writers that were killed have left. The caller closes
// the sink.
func Open(ctx context.Context, c hdfs.Config) (*Sink, error) {
	opened, err := client.Open(ctx, c.Client)
	if err != nil {
		return nil, err
	}
	s := &Sink{client: opened, root: c.Root}
	err = opened.MkdirAll(ctx, s.root, 0o700)
	if err == nil {
		err = s.clean(ctx, time.Now().Add(-abandoned))
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return s, nil
}

// Close ends the use of the sink.
func (s *Sink) Close() error { return s.client.Close() }

// Write writes an image and its record, and returns when both are complete under their
// names. An image has its name only when its record is complete. A record that exists
// is replaced.
func (s *Sink) Write(ctx context.Context, sum [32]byte, extension string, image, record []byte) error {
	name := hex.EncodeToString(sum[:])
	base := path.Join(s.root, name[:2], name)
	if err := s.put(ctx, base+".json", record); err != nil {
		return err
	}
	// A complete image of this name has this content.
	info, err := s.client.Stat(ctx, base+extension)
	switch {
	case err == nil && info.Openable(0) == nil && info.Size == int64(len(image)):
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return s.put(ctx, base+extension, image)
}

func (s *Sink) put(ctx context.Context, name string, content []byte) error {
	return s.client.PutFile(ctx, name, path.Join(s.root, temporary), content)
}

// clean removes files of writers that were killed before a time.
func (s *Sink) clean(ctx context.Context, before time.Time) error {
	folder := path.Join(s.root, temporary)
	for info, err := range s.client.ReadDir(ctx, folder) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && info.Modified.Before(before) {
			err = s.client.RemoveAll(ctx, path.Join(folder, info.Name))
		}
		if err != nil {
			return fmt.Errorf("files that killed writers have left: %w", err)
		}
	}
	return nil
}
