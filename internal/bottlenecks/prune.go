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

// Prune removes the least recently opened parts of the cache in dir until at
// most most bytes are left. A removed part stays readable to processes that
// have it open.
func Prune(dir string, most int64) (removed int64, err error) {
	type part struct {
		path string
		used time.Time
		size int64
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bottleneck cache: %w", err)
	}
	var parts []part
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue // another process prunes too, or it is not part of the cache
		}
		p := part{path: filepath.Join(dir, e.Name()), used: info.ModTime()}
		if p.size, err = size(p.path); err != nil {
			return 0, fmt.Errorf("bottleneck cache: %w", err)
		}
		total += p.size
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, p := range parts {
		if total <= most {
			break
		}
		if err := os.RemoveAll(p.path); err != nil {
			return removed, fmt.Errorf("bottleneck cache: %w", err)
		}
		total -= p.size
		removed += p.size
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
