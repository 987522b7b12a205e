// Package durable writes files so that they are there after a crash of the
// machine: what is written beside and renamed is complete only once both its
// bytes and its folder's entries are on the disk.
package durable

import (
	"errors"
	"os"
)

// WriteFile makes the file at path of the content, and returns when it is on
// the disk. The file's name is only after SyncFolder of its folder.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// SyncFolder brings a folder's entries to the disk.
func SyncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
