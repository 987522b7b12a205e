// Package durable writes files so that they survive a crash of the machine. A
// file that is written to a temporary name and renamed is durable only when
// both its content and its folder's entries are on disk.
package durable

import (
	"errors"
	"os"
)

// WriteFile writes content to the file at path and returns when the content is
// on disk. The file's name is durable only after SyncFolder of its folder.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// SyncFolder makes a folder's entries durable.
func SyncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReplaceFile writes content to a file in the folder temporary, which is on the same
// file system, waits until it is on disk, and renames it to path: readers see the old
// content or all of the new one. The name is durable only after SyncFolder of its
// folder. A process that is killed may leave a file in temporary.
func ReplaceFile(temporary, path string, content []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(temporary, "*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
