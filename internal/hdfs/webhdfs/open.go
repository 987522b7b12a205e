package webhdfs

import (
	"context"
	"fmt"
	"net/http"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/retry"
)

// Open reads a file from an offset to its end. The Reader returns io.EOF
// exactly at the size that the file had when it was opened. The context also
// bounds the reading.
func (c *Client) Open(ctx context.Context, path string, offset int64) (*Reader, error) {
	info, err := c.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := info.Openable(offset); err != nil {
		return nil, pathError("open", path, err)
	}
	h, err := c.mayOpen(ctx, path, info)
	if err != nil {
		return nil, err
	}
	r := &Reader{client: c, ctx: ctx, path: path, info: info, offset: min(offset, info.Size), holders: h, patience: retry.New(ctx, c.settings.Budget)}
	for r.offset < info.Size {
		err := r.connect()
		if err == nil {
			break
		}
		if err = r.retry(err); err != nil {
			r.Close()
			return nil, pathError("open", path, err)
		}
	}
	return r, nil
}

// mayOpen checks that the user may read the file and that it is not being
// written, which its status does not show. Only a file's writer knows the
// length of its last block.
func (c *Client) mayOpen(ctx context.Context, path string, info hdfs.Info) (holders, error) {
	b, err := c.blocks(ctx, path, max(0, info.Size-1), c.call)
	switch {
	case unsupported(err):
		return holders{untold: true}, c.mayOpenByChecksum(ctx, path)
	case err != nil:
		return holders{}, err
	case b.UnderConstruction:
		return holders{}, pathError("open", path, errUnderConstruction)
	}
	return holders{addresses: b.addresses()}, nil
}

var errUnderConstruction = fmt.Errorf("%w: it is open for write: try again when its writer has closed it, "+
	"or free it from a dead one with hdfs debug recoverLease", hdfs.ErrRefused)

// mayOpenByChecksum is mayOpen for servers that do not return block locations:
// they compute no checksum of a file that is being written, nor for users who
// may not read it.
func (c *Client) mayOpenByChecksum(ctx context.Context, path string) error {
	return c.call(ctx, operation{verb: "open", name: "GETFILECHECKSUM", path: path}, func(a answer) error {
		if a.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: the server lacks GET_BLOCK_LOCATIONS and redirects GETFILECHECKSUM", errProtocol)
		}
		return nil
	})
}
