package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
)

// ErrDenied means that the store's user may not read an example. It comes with
// fs.ErrPermission.
var ErrDenied = errors.New("the store denies its user access to it")

// MayRead asks a source's store whether its user may currently read every
// example of some keys, without reading any. The error names the first one
// denied and wraps ErrDenied. A source without permissions, such as one in
// memory, allows everything.
func MayRead(ctx context.Context, src Source, keys iter.Seq[string]) error {
	asked, ok := src.(interface {
		MayRead(ctx context.Context, keys iter.Seq[string]) error
	})
	if !ok {
		return nil
	}
	return denied(asked.MayRead(ctx, keys))
}

// denied marks a permission error of the store.
func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrDenied) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}
