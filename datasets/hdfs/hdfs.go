// Package hdfs implements the tree of files below an HDFS folder, read by
// Hadoop's native protocol.
package hdfs

import (
	"context"
	"fmt"
	"io"

	"tkit/internal/hdfs"
)

// New returns the tree of a folder, which must exist.
func New(ctx context.Context, c Config) (*Tree, error) {
	native, err := hdfs.Open(ctx, c.Client)
	if err != nil {
		return nil, Translate(fmt.Errorf("dataset %s: %w", c.uri(), err))
	}
	return NewTree(ctx, c.uri(), c.Root, client{native})
}

// client adapts the native client to Client.
type client struct{ *hdfs.Client }

func (c client) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := c.Client.Open(ctx, path, offset)
	if err != nil {
		return nil, err // not a nil *Reader
	}
	return r, nil
}
