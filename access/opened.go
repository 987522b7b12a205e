package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Opened returns the data as it was opened: as a user of its store, "" if the store
// has none, and at a URI. Data on this machine belongs to every registered dataset
// whose folder it shares files with now, by device and inode: links and mounts give a
// folder paths that the policy does not know.
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
			continue // it is still compared by its path
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

// folders returns a file or folder and all folders above it, as its path resolves
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
