package bottlenecks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Folder is the name of the folder with a cache, in a home or in the part of a home
// for data with restrictions.
const Folder = "bottlenecks"

// A Part is what a cache holds of one trunk and preprocessing.
type Part struct {
	Path  string
	Used  time.Time // when it was last opened
	Bytes int64
}

// Parts returns the parts of the cache in dir, the least recently opened first. A
// folder that does not exist has none.
func Parts(dir string) (parts []Part, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bottleneck cache: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue // another process prunes too, or it is not part of the cache
		}
		p := Part{Path: filepath.Join(dir, e.Name()), Used: info.ModTime()}
		p.Bytes, err = size(p.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // as above
		}
		if err != nil {
			return nil, fmt.Errorf("bottleneck cache: %w", err)
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Path, b.Path)) })
	return parts, nil
}

// Prune removes the least recently opened parts of the cache in dir until at
// most most bytes are left. A removed part stays readable to processes that
// have it open.
func Prune(dir string, most int64) (removed int64, err error) {
	parts, err := Parts(dir)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, p := range parts {
		total += p.Bytes
	}
	for _, p := range parts {
		if total <= most {
			break
		}
		if err := os.RemoveAll(p.Path); err != nil {
			return removed, fmt.Errorf("bottleneck cache: %w", err)
		}
		total -= p.Bytes
		removed += p.Bytes
	}
	return removed, nil
}

func size(dir string) (total int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}
