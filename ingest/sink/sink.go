// Package sink keeps images and their records in a tree of files, each image exactly
// once, by the SHA-256 of its content.
package sink

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files is the folder of a sink in some store. Names are relative to it, with slashes.
// Its methods may be called concurrently, and other processes may use the same folder.
type Files interface {
	// Put writes files into a folder, in this order, and returns when they are
	// durable. A file has its name only when it is complete, and replaces one that
	// has the name. Missing folders are made.
	Put(ctx context.Context, folder string, files []File) error
	// Size returns the size of a complete file. Otherwise the error is
	// fs.ErrNotExist.
	Size(ctx context.Context, name string) (int64, error)
	// MakeFolder makes a folder durably. One that exists is no error.
	MakeFolder(ctx context.Context, name string) error
	// Names returns what is in a folder, nothing if the folder does not exist.
	Names(ctx context.Context, folder string) ([]string, error)
	// Remove removes files or empty folders that are in a folder, and returns when
	// that is durable. Missing ones are no error.
	Remove(ctx context.Context, folder string, names ...string) error
	// Close ends the use.
	Close() error
}

// A File is one to be written.
type File struct {
	Name    string
	Content []byte
}

// An Image is what a sink keeps.
type Image struct {
	SHA256    string // of the content, in lower-case hexadecimal digits
	Extension string // with its dot; it follows from the content
	Content   []byte
	Record    []byte // JSON about the image
}

// A Sink keeps images by its methods, which may be called concurrently.
type Sink struct {
	files Files
	moves bool
}

// New returns a sink. The folders of its images are those of a template. Closing the
// sink closes the files.
func New(files Files, t *Template) *Sink { return &Sink{files: files, moves: !t.fixed()} }

// Close ends the use of the sink.
func (s *Sink) Close() error { return s.files.Close() }

// places is the folder with the marks: a mark is an empty folder
// places/XX/SHA256/TOKEN|FOLDER, where the folder's slashes are | too. It says that the
// image is in that folder, or was to be written there.
const places = ".tkit-places"

// Write writes an image and its record into a folder, and returns when they are there
// and in no other folder of the sink. An image has its name only when its record is
// complete. A record that exists is replaced.
//
// The folder may differ from that of an earlier delivery, for example because another
// version of a model gives another label. So there is a mark for each folder in which
// the image may be: it is made before the image is written there, and removed when the
// image is gone from there. Of two processes that deliver the image into different
// folders at the same time, at least one sees the mark of the other and removes it,
// then its image. A process whose mark or image is gone writes again.
func (s *Sink) Write(ctx context.Context, folder string, i Image) error {
	if !s.moves {
		return s.put(ctx, folder, i)
	}
	marks := path.Join(places, i.SHA256[:2], i.SHA256)
	for {
		mark, err := s.mark(ctx, marks, folder)
		if err != nil {
			return err
		}
		others, err := s.files.Names(ctx, marks)
		if err != nil {
			return err
		}
		others = slices.DeleteFunc(others, func(name string) bool { return name == mark })
		if err := s.put(ctx, folder, i); err != nil {
			return err
		}
		if err := s.removeOthers(ctx, folder, i, others); err != nil {
			return err
		}
		if written, err := s.written(ctx, path.Join(marks, mark), folder, i, len(others) > 0); err != nil || written {
			return err
		}
	}
}

// mark makes a new mark for a folder.
func (s *Sink) mark(ctx context.Context, marks, folder string) (string, error) {
	mark := rand.Text()[:8] + "|" + strings.ReplaceAll(folder, "/", "|")
	return mark, s.files.MakeFolder(ctx, path.Join(marks, mark))
}

// removeOthers removes other marks of an image, and the image from their folders. It
// makes marks of its own for these folders first, and removes them last, so that a
// process that ends in between leaves no image without a mark.
func (s *Sink) removeOthers(ctx context.Context, own string, i Image, others []string) error {
	if len(others) == 0 {
		return nil
	}
	marks := path.Join(places, i.SHA256[:2], i.SHA256)
	folders := make(map[string]bool)
	for _, mark := range others {
		_, folder, _ := strings.Cut(mark, "|")
		folders[strings.ReplaceAll(folder, "|", "/")] = true
	}
	delete(folders, own)
	var claims []string
	for folder := range folders {
		claim, err := s.mark(ctx, marks, folder)
		if err != nil {
			return err
		}
		claims = append(claims, claim)
	}
	if err := s.files.Remove(ctx, marks, others...); err != nil {
		return err
	}
	for folder := range folders {
		if err := s.files.Remove(ctx, folder, i.SHA256+i.Extension, i.SHA256+".json"); err != nil {
			return err
		}
	}
	return s.files.Remove(ctx, marks, claims...)
}

// written reports whether the mark of an image is still there and, if it had others,
// the image too.
func (s *Sink) written(ctx context.Context, mark, folder string, i Image, others bool) (bool, error) {
	now, err := s.files.Names(ctx, path.Dir(mark))
	if err != nil || !slices.Contains(now, path.Base(mark)) {
		return false, err
	}
	if !others {
		return true, nil
	}
	for _, name := range []string{i.SHA256 + i.Extension, i.SHA256 + ".json"} {
		if _, err := s.files.Size(ctx, path.Join(folder, name)); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			return false, err
		}
	}
	return true, nil
}

// put writes an image and its record.
func (s *Sink) put(ctx context.Context, folder string, i Image) error {
	files := []File{{i.SHA256 + ".json", i.Record}}
	// A complete image of this name has this content.
	size, err := s.files.Size(ctx, path.Join(folder, i.SHA256+i.Extension))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil || size != int64(len(i.Content)):
		files = append(files, File{i.SHA256 + i.Extension, i.Content})
	}
	return s.files.Put(ctx, folder, files)
}
