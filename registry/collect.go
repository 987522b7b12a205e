package registry

import (
	"context"
	"database/sql"
	"fmt"

	"tkit/registry/blobs"
)

// Collect removes the blobs that no version refers to, and what crashed
// registrations left. It waits for registrations in progress, in any process;
// a registration that starts meanwhile waits for it. With dry it only says
// what it would remove.
func (r *Registry) Collect(ctx context.Context, dry bool) (blobs.Collected, error) {
	c, err := r.blobs.Collect(ctx, dry, func(ctx context.Context) (map[Digest]bool, error) {
		digests, err := rowsOf(ctx, r.db.Reader(), func(rows *sql.Rows) (d Digest, err error) {
			err = rows.Scan(&d)
			return d, err
		}, "SELECT DISTINCT digest FROM parts")
		used := make(map[Digest]bool, len(digests))
		for _, d := range digests {
			used[d] = true
		}
		return used, err
	})
	if err != nil {
		return c, fmt.Errorf("registry: %w", err)
	}
	return c, nil
}
