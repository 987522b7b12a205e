package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
)

// ErrDenied marks that the store does not let its user read an example. It comes
// with fs.ErrPermission.
var ErrDenied = errors.New("the store does not let its user read it")

// MayRead asks the store of a source whether it lets its user read every example
// of some keys now, without reading any. The error names the first that it
// denies and wraps ErrDenied. A source of which no store is asked, such as one
// in memory, lets anybody.
func MayRead(ctx context.Context, src Source, keys iter.Seq[string]) error {
	asked, ok := src.(interface {
		MayRead(ctx context.Context, keys iter.Seq[string]) error
	})
	if !ok {
		return nil
	}
	return denied(asked.MayRead(ctx, keys))
}

// denied marks an error of the store's permissions.
func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrDenied) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}
