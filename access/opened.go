package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Opened is data as it was opened: by a user of its store, "" where the store
// knows none, and at a URI. On this machine it belongs to every registered
// dataset with whose folder it shares files now, by device and inode: links and
// mounts give a folder paths that the policy has never seen.
func (p *Policy) Opened(d Data, user, uri string) (Data, error) {
	d.URI, d.Store = uri, user
	at, known := placeOf(uri)
	if !known || at.store != "file" {
		return d, nil
	}
	opened, err := folders(at.path)
	if err != nil {
		return d, fmt.Errorf("dataset: %w", err)
	}
	d.Datasets = slices.Clone(d.Datasets)
	for _, r := range p.datasets {
		if r.place.store != at.store {
			continue
		}
		registered, err := folders(r.place.path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // by its path it still counts
		}
		if err != nil {
			return d, fmt.Errorf("dataset %s: %w", r.Name, err)
		}
		if (contains(opened, registered[0]) || contains(registered, opened[0])) && !slices.Contains(d.Datasets, r.Name) {
			d.Datasets = append(d.Datasets, r.Name)
		}
	}
	return d, nil
}

// folders are a file or folder and the folders above it, where its path leads
// now.
func folders(path string) ([]os.FileInfo, error) {
	path, err := filepath.EvalSymlinks(filepath.FromSlash(path))
	if err != nil {
		return nil, err
	}
	var all []os.FileInfo
	for {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		all = append(all, info)
		above := filepath.Dir(path)
		if above == path {
			return all, nil
		}
		path = above
	}
}

func contains(all []os.FileInfo, one os.FileInfo) bool {
	return slices.ContainsFunc(all, func(info os.FileInfo) bool { return os.SameFile(info, one) })
}
