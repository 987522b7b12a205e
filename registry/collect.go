package registry

import (
	"context"
	"errors"
	"fmt"

	"tkit/internal/workfolder"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// ErrUncertain is the error of damaged metadata, from which the blobs in use cannot be
// determined.
var ErrUncertain = errors.New("it is not certain which files are in use")

// WorkPrefix begins the names of the temporary folders of runs in a home.
const WorkPrefix = ".train-"

// Collect removes the blobs that no version or base refers to, and the files that crashed
// registrations and runs left. It waits for registrations in progress, in any
// process; a registration that starts meanwhile waits for Collect. With dry, it only
// returns what it would remove. If the metadata are damaged or inconsistent, nothing
// is removed, and the error wraps ErrUncertain.
func (r *Registry) Collect(ctx context.Context, dry bool) (blobs.Collected, error) {
	c, err := r.blobs.Collect(ctx, dry, r.used)
	if err != nil {
		return c, fmt.Errorf("registry: %w", err)
	}
	left, err := workfolder.Tidy(r.home, WorkPrefix, dry)
	if err != nil {
		return c, fmt.Errorf("registry: %w", err)
	}
	c.Leavings += left.Folders
	c.Bytes += left.Bytes
	return c, nil
}

// used returns the blobs that versions and bases refer to. It verifies the metadata
// first, because the blobs of a version whose rows are lost would be removed.
func (r *Registry) used(ctx context.Context) (map[Digest]bool, error) {
	damage, err := r.metadata.Check(ctx)
	if err != nil {
		return nil, err
	}
	v := newVerification()
	for _, d := range damage {
		v.found("database", d)
	}
	if err := r.metadata.View(ctx, func(rows metadata.Reader) error { return v.checkTables(ctx, rows) }); err != nil {
		return nil, err
	}
	if len(v.problems) > 0 {
		first := v.problems[0]
		return nil, fmt.Errorf("%w, so nothing was removed: %d problems, such as %s: %s; restore the database from a backup",
			ErrUncertain, len(v.problems), first.Subject, first.Detail)
	}
	used := make(map[Digest]bool, len(v.parts))
	for d := range v.parts {
		used[d] = true
	}
	return used, nil
}
