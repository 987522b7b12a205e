package folder

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"tkit/ingest/commit"
	"tkit/ingest/sink"
	"tkit/internal/durable"
)

// pending are files that are written, and do not have their names yet.
type pending struct {
	folder string // where they belong
	names  []string
	open   []*os.File
}

// write adds a file.
func (p *pending) write(temporary string, one sink.File) error {
	f, err := os.CreateTemp(temporary, "*") // private to its owner
	if err != nil {
		return err
	}
	p.names, p.open = append(p.names, one.Name), append(p.open, f)
	_, err = f.Write(one.Content)
	return err
}

// discard removes the files.
func (p *pending) discard() (err error) {
	for _, f := range p.open {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return err
}

// name closes the files and gives them their names, in their order, up to the first
// that fails. It removes the others.
func (p *pending) name() (err error) {
	for i, f := range p.open {
		if err = errors.Join(err, f.Close()); err == nil {
			err = rename(f.Name(), filepath.Join(p.folder, p.names[i]))
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}
	return err
}

// rename is os.Rename without its look at what has the new name.
func rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// commit makes the files durable, then gives them their names, then makes the names
// durable.
func (f *Files) commit(ctx context.Context, p pending) error {
	if err := f.syncs.Do(ctx, unsynced{files: p.open}); err != nil {
		return errors.Join(err, p.discard())
	}
	if err := p.name(); err != nil {
		return err
	}
	return f.syncs.Do(ctx, unsynced{folder: p.folder})
}

// unsynced is what one image needs on disk next: the content of its files, or the names
// in its folder. One writing of the file system serves some images in either state.
type unsynced struct {
	files  []*os.File
	folder string
}

// mostTogether is the maximum number of images that are made durable together.
const mostTogether = 256

// few is the number of files and folders up to which each is written to disk for
// itself. More are written together, with everything else in the file system.
const few = 4

// sync makes all of it durable.
func (f *Files) sync(all []unsynced) []error {
	files, folders := 0, make(map[string]error)
	for _, u := range all {
		files += len(u.files)
		if u.folder != "" {
			folders[u.folder] = nil
		}
	}
	if files+len(folders) > few {
		return commit.All(len(all), f.syncAll())
	}
	for folder := range folders {
		folders[folder] = durable.SyncFolder(folder)
	}
	errs := make([]error, len(all))
	for i, u := range all {
		errs[i] = folders[u.folder]
		for _, one := range u.files {
			errs[i] = errors.Join(errs[i], one.Sync())
		}
	}
	return errs
}

// syncAll writes the file system to disk. It reports errors from Linux 5.8 on.
func (f *Files) syncAll() error {
	d, err := os.Open(f.temporary.Path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: f.folder, Err: err}
	}
	return nil
}
