package catalog

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tkit/access"
	"tkit/internal/bottlenecks"
)

// A CachePart is what the cache of bottlenecks holds of one base, cut and
// preprocessing.
type CachePart struct {
	// Folder is relative to the home.
	Folder string `json:"folder"`
	// Restricted says that the bottlenecks are of images with restrictions.
	Restricted bool      `json:"restricted"`
	Used       time.Time `json:"used"` // when a training last opened it, or a pipeline used it
	Bytes      int64     `json:"bytes"`
}

// Cache returns the parts of the cache of bottlenecks, the most recently used
// first. Only an administrator of the home may see it. Only a refusal is recorded.
func (c *Catalog) Cache(ctx context.Context, who access.Caller) ([]CachePart, error) {
	if err := c.authority.RequireAdministrator(ctx, who, "show-cache"); err != nil {
		return nil, err
	}
	folders, err := c.cacheFolders()
	if err != nil {
		return nil, err
	}
	all := []CachePart{}
	for _, folder := range folders {
		parts, err := bottlenecks.Parts(folder)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			within, err := filepath.Rel(c.home, p.Path)
			if err != nil {
				return nil, err
			}
			all = append(all, CachePart{within, folder != c.cacheFolder(), p.Used.UTC(), p.Bytes})
		}
	}
	slices.SortStableFunc(all, func(a, b CachePart) int { return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.Folder, b.Folder)) })
	return all, nil
}

// ClearCache removes the cache of bottlenecks and returns how many bytes it had. A
// training in progress keeps the part that it has open, and later ones compute
// again what they need. Only an administrator of the home may. It writes one
// record.
func (c *Catalog) ClearCache(ctx context.Context, who access.Caller) (removed int64, err error) {
	if err := c.authority.AuthorizeAdministrator(ctx, who, "clear-cache"); err != nil {
		return 0, err
	}
	folders, err := c.cacheFolders()
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		n, err := bottlenecks.Prune(folder, 0)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (c *Catalog) cacheFolder() string { return filepath.Join(c.home, bottlenecks.Folder) }

// cacheFolders are the folders of the cache: of images without restrictions, and of
// each set of restrictions.
func (c *Catalog) cacheFolders() ([]string, error) {
	restricted, err := fs.Glob(os.DirFS(c.home), "restricted/*/"+bottlenecks.Folder)
	folders := []string{c.cacheFolder()}
	for _, folder := range restricted {
		folders = append(folders, filepath.Join(c.home, folder))
	}
	return folders, err
}
