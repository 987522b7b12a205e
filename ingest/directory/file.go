package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A File is a complete file with its content. The watcher returns it again only if it
// is released, or if it changes after it was delivered.
type File struct {
	Path     string // in the folder
	Modified time.Time
	Content  []byte

	watcher *Watcher
	path    string
	stamp   stamp
}

// open reads a file that has settled. It returns nil if there is nothing to deliver:
// the file is gone, is too large, or has changed and is queued again.
func (w *Watcher) open(s sighting) *File {
	now, content, err := w.read(s)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) || errors.Is(err, errNoFile):
		w.forget(s.path) // deleted, or replaced by something else
	case errors.Is(err, errTooLarge):
		w.options.Log.Error("a file is left where it is", "error", err)
		w.forget(s.path)
		w.fail(err)
	case err != nil:
		w.options.Log.Warn("cannot read a file; it is tried again", "error", err)
		w.again(s.path, s.stamp)
	case now != s.stamp:
		w.again(s.path, now)
	default:
		return &File{
			Path: w.relative(s.path), Modified: time.Unix(0, s.stamp.modified), Content: content,
			watcher: w, path: s.path, stamp: s.stamp,
		}
	}
	return nil
}

var (
	errNoFile   = errors.New("it is no regular file")
	errTooLarge = errors.New("the file is too large")
)

// read returns the content of a file, and its stamp after the reading.
func (w *Watcher) read(s sighting) (now stamp, content []byte, err error) {
	f, err := os.OpenFile(s.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return now, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return now, nil, err
	}
	if !info.Mode().IsRegular() {
		return now, nil, fmt.Errorf("%s: %w", s.path, errNoFile)
	}
	if now = stampOf(info); now != s.stamp {
		return now, nil, nil // it is looked at again
	}
	if now.size > w.options.MaxBytes {
		return now, nil, fmt.Errorf("%s: %w: it has %d bytes, and %d are allowed", s.path, errTooLarge, now.size, w.options.MaxBytes)
	}
	content = make([]byte, now.size)
	if _, err := io.ReadFull(f, content); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return now, nil, err
	}
	if info, err = f.Stat(); err != nil {
		return now, nil, err
	}
	return stampOf(info), content, nil
}

// Release gives the file back: the watcher returns it again.
func (f *File) Release() { f.watcher.again(f.path, f.stamp) }

// Delivered keeps, deletes or archives the file. If the file was replaced since it was
// read, that is a new one, and is queued; without Options.Follow the next run delivers
// it. After an error the caller releases the file.
func (f *File) Delivered(ctx context.Context) error {
	if err := f.settle(ctx); err != nil {
		return fmt.Errorf("directory: after the delivery of %s: %w", f.Path, err)
	}
	info, err := os.Lstat(f.path)
	replaced := err == nil && info.Mode().IsRegular() && stampOf(info).moved() != f.stamp.moved()
	if replaced && f.watcher.options.Follow {
		f.watcher.again(f.path, stampOf(info))
		return nil
	}
	f.watcher.forget(f.path)
	return gone(err, true)
}

func (f *File) settle(ctx context.Context) error {
	w := f.watcher
	if w.options.After == Keep {
		return w.options.Ledger.Record(ctx, w.entry(f.path, f.stamp))
	}
	held, err := f.hold()
	if err != nil || held == "" {
		return err
	}
	if w.options.After == Delete {
		return gone(os.Remove(held), true)
	}
	return f.archive(held)
}

// heldPrefix begins the names of files that are about to be deleted or archived. Such
// a file that is left after a crash is delivered again.
const heldPrefix = ".tkit-held-"

// hold moves the file to a name that no other program uses, so that what is deleted or
// archived is what was read. It returns "" if the file is gone or was replaced.
func (f *File) hold() (string, error) {
	held := f.path
	if dir, base := filepath.Split(f.path); base != heldPrefix+filepath.Base(f.Path) {
		held = filepath.Join(dir, heldPrefix+base)
		if err := rename(f.path, held); err != nil {
			return "", gone(err, true)
		}
	}
	info, err := os.Lstat(held)
	if err != nil {
		return "", gone(err, true)
	}
	if stampOf(info).moved() == f.stamp.moved() {
		return held, nil
	}
	// Something else has the name: give it back. If yet another file has taken the
	// name, both are delivered.
	if err := rename(held, f.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return "", nil
}

// archive moves the held file into the archive. A file of the same path that is there
// already stays; then the name gets a number.
func (f *File) archive(held string) error {
	to := filepath.Join(f.watcher.options.Archive, f.Path)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	extension := filepath.Ext(to)
	for n, free := 2, to; ; n++ {
		err := rename(held, free)
		if !errors.Is(err, fs.ErrExist) {
			return gone(err, true)
		}
		free = fmt.Sprintf("%s~%d%s", to[:len(to)-len(extension)], n, extension)
	}
}

// rename moves a file, and fails if the new name exists.
func rename(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
