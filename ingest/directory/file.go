package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"tkit/ingest/ledger"
)

// A File is a complete file with its content. The watcher returns it again only if it
// is released, or if it changes after it was delivered.
type File struct {
	Path     string // in the folder
	Modified time.Time
	Size     int64
	Content  []byte
	// Refused says why there is no content: ErrTooLarge, ErrRefused or
	// fs.ErrPermission. Such a file always stays where it is, and is returned once, also
	// after a restart. It is returned with its content when it can be read.
	Refused error

	watcher *Watcher
	path    string
	stamp   Stamp
}

// open reads a file that has settled. It returns nil if there is nothing to deliver:
// the file is gone, was refused before, or has changed and is queued again.
func (w *Watcher) open(s sighting) *File {
	now, content, err := w.options.Store.Read(w.running, s.path, s.stamp, w.options.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoFile):
		w.forget(s.path) // deleted, or replaced by something else
	case errors.Is(err, ErrTooLarge) || errors.Is(err, ErrRefused) || errors.Is(err, fs.ErrPermission):
		return w.refused(s, err)
	case errors.Is(err, ErrOpen):
		w.again(s.path, now)
	case err != nil:
		w.options.Log.Warn("cannot read a file; it is tried again", "error", err)
		w.again(s.path, s.stamp)
	case now != s.stamp:
		w.again(s.path, now)
	default:
		f := w.file(s)
		f.Content = content
		return f
	}
	return nil
}

func (w *Watcher) file(s sighting) *File {
	return &File{
		Path: w.relative(s.path), Modified: time.Unix(0, s.stamp.Modified), Size: s.stamp.Size,
		watcher: w, path: s.path, stamp: s.stamp,
	}
}

// refused returns a file that cannot be read, unless it was returned before.
func (w *Watcher) refused(s sighting, cause error) *File {
	f := w.file(s)
	f.Refused = cause
	before, err := w.options.Ledger.Delivered(w.running, f.refusal())
	switch {
	case err != nil:
		w.options.Log.Warn("cannot read the ledger; it is tried again", "error", err)
		w.again(s.path, s.stamp)
		return nil
	case before:
		w.forget(s.path)
		return nil
	}
	return f
}

// refusal is the ledger's entry of a refused file. It is not that of its delivery, so
// that the file is read when more bytes are allowed.
func (f *File) refusal() ledger.Entry {
	e := f.watcher.entry(f.path, f.stamp)
	e.Path = "refused\x00" + e.Path
	return e
}

// TooLarge returns the error of a file that has more than the most bytes.
func TooLarge(path string, size, most int64) error {
	return fmt.Errorf("%s: %w: it has %d bytes, and %d are allowed", path, ErrTooLarge, size, most)
}

// Release gives the file back: the watcher returns it again.
func (f *File) Release() { f.watcher.again(f.path, f.stamp) }

// Delivered keeps, deletes or archives the file, and only remembers one that was refused. If the file was replaced since it was
// read, that is a new one, and is queued; without Options.Follow the next run delivers
// it. After an error the caller releases the file.
func (f *File) Delivered(ctx context.Context) error {
	if err := f.settle(ctx); err != nil {
		return fmt.Errorf("directory: after the delivery of %s: %w", f.Path, err)
	}
	e, err := f.watcher.options.Store.Stat(ctx, f.path)
	replaced := err == nil && e.File && e.Stamp.moved() != f.stamp.moved()
	if replaced && f.watcher.options.Follow {
		f.watcher.again(f.path, e.Stamp)
		return nil
	}
	f.watcher.forget(f.path)
	return gone(err, true)
}

func (f *File) settle(ctx context.Context) error {
	w := f.watcher
	if f.Refused != nil {
		return w.options.Ledger.Record(ctx, f.refusal())
	}
	if w.options.After == Keep {
		return w.options.Ledger.Record(ctx, w.entry(f.path, f.stamp))
	}
	held, err := f.hold(ctx)
	if err != nil || held == "" {
		return err
	}
	if w.options.After == Delete {
		return gone(w.options.Store.Remove(ctx, held), true)
	}
	return f.archive(ctx, held)
}

// heldPrefix begins the names of files that are about to be deleted or archived. Such
// a file that is left after a crash is delivered again.
const heldPrefix = ".tkit-held-"

// hold moves the file to a name that no other program uses, so that what is deleted or
// archived is what was read. It returns "" if the file is gone or was replaced.
func (f *File) hold(ctx context.Context) (string, error) {
	store := f.watcher.options.Store
	held := f.path
	if dir, base := filepath.Split(f.path); base != heldPrefix+filepath.Base(f.Path) {
		held = filepath.Join(dir, heldPrefix+base)
		if err := store.Rename(ctx, f.path, held); err != nil {
			return "", gone(err, true)
		}
	}
	e, err := store.Stat(ctx, held)
	if err != nil {
		return "", gone(err, true)
	}
	if e.Stamp.moved() == f.stamp.moved() {
		return held, nil
	}
	// Something else has the name: give it back. If yet another file has taken the
	// name, both are delivered.
	if err := store.Rename(ctx, held, f.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return "", nil
}

// archive moves the held file into the archive. A file of the same path that is there
// already stays; then the name gets a number.
func (f *File) archive(ctx context.Context, held string) error {
	store := f.watcher.options.Store
	to := filepath.Join(f.watcher.options.Archive, f.Path)
	if err := store.MakeFolder(ctx, filepath.Dir(to)); err != nil {
		return err
	}
	extension := filepath.Ext(to)
	for n, free := 2, to; ; n++ {
		err := store.Rename(ctx, held, free)
		if !errors.Is(err, fs.ErrExist) {
			return gone(err, true)
		}
		free = fmt.Sprintf("%s~%d%s", to[:len(to)-len(extension)], n, extension)
	}
}
