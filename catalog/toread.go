package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tkit/internal/workfolder"
)

// OpenToRead opens the catalog of a home for an operation that only reads. If there
// is no home, the catalog is empty and in a temporary folder, which Close removes: no
// home is created.
func OpenToRead(ctx context.Context, o Options) (*Catalog, error) {
	err := o.Exists()
	if !errors.Is(err, ErrNoHome) {
		if err != nil {
			return nil, err
		}
		return Open(ctx, o)
	}
	temporary, err := workfolder.New(os.TempDir(), "tkit-no-home-")
	if err != nil {
		return nil, fmt.Errorf("a temporary home: %w", err)
	}
	o.Home = temporary.Path
	c, err := Open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, temporary.Close())
	}
	c.temporary = temporary
	return c, nil
}
