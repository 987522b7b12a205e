package folder

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"tkit/ingest/sink"
	"tkit/internal/durable"
)

// mostTogether is the maximum number of images that become durable together.
const mostTogether = 256

// fewFiles is the number of files, or of folders, up to which each is written to disk
// for itself. More are written together, with everything else in the file system.
const fewFiles = 4

// pending are files that are written, and not durable and without their names yet.
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

// name closes the files and gives them their names, in their order.
func (p *pending) name() (err error) {
	for i, f := range p.open {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(f.Name(), filepath.Join(p.folder, p.names[i]))
		}
	}
	return err
}

// commit makes the files of some images durable, then gives them their names, then makes
// the names durable.
func (f *Files) commit(all []pending) []error {
	errs := make([]error, len(all))
	if err := f.syncFiles(all); err != nil {
		for i, p := range all {
			errs[i] = errors.Join(err, p.discard())
		}
		return errs
	}
	folders := make(map[string]bool)
	failed := false
	for i, p := range all {
		errs[i] = p.name()
		failed = failed || errs[i] != nil
		folders[p.folder] = true
	}
	if err := f.syncFolders(folders); err != nil {
		for i := range errs {
			errs[i] = errors.Join(errs[i], err)
		}
		failed = true
	}
	if !failed {
		return nil
	}
	return errs
}

func (f *Files) syncFiles(all []pending) error {
	files := 0
	for _, p := range all {
		files += len(p.open)
	}
	if files > fewFiles {
		return f.syncAll()
	}
	for _, p := range all {
		for _, one := range p.open {
			if err := one.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Files) syncFolders(folders map[string]bool) error {
	if len(folders) > fewFiles {
		return f.syncAll()
	}
	for folder := range folders {
		if err := durable.SyncFolder(folder); err != nil {
			return err
		}
	}
	return nil
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
