// Package webhdfs implements the tree of files below an HDFS folder, read over
// HTTP.
package webhdfs

import (
	"context"
	"fmt"
	"io"

	tree "tkit/datasets/hdfs"
	"tkit/internal/hdfs/webhdfs"
)

// New returns the tree of a folder, which must exist.
func New(ctx context.Context, c Config) (*tree.Tree, error) {
	web, err := webhdfs.Open(ctx, c.Client)
	if err != nil {
		return nil, tree.Translate(fmt.Errorf("dataset %s: %w", c.uri(), err))
	}
	return tree.NewTree(ctx, c.uri(), c.Root, client{web})
}

// client adapts the WebHDFS client to the tree's Client.
type client struct{ *webhdfs.Client }

func (c client) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := c.Client.Open(ctx, path, offset)
	if err != nil {
		return nil, err // not a nil *Reader
	}
	return r, nil
}
