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
