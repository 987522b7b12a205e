package webhdfs

import (
	"context"
	"fmt"
	"net/url"
	"slices"
)

// holders are the DataNodes that have a file's bytes, as far as the NameNode
// was asked.
type holders struct {
	addresses []string
	untold    bool // the server does not return block locations
}

// checkHolder refuses a redirect unless it leads to a DataNode that has the
// bytes, or to the same server: the address contains a token that lets anyone
// act as the user.
func (r *Reader) checkHolder(ctx context.Context, from, to *url.URL) error {
	if r.holders.untold || slices.Contains(r.client.settings.servers, to.Host) || slices.Contains(r.holders.addresses, to.Host) {
		return nil
	}
	// It is another block, or the block has moved.
	b, err := r.client.blocks(ctx, r.path, r.offset, r.client.attempt)
	if err != nil {
		return err
	}
	r.holders.addresses = append(r.holders.addresses, b.addresses()...)
	if !slices.Contains(r.holders.addresses, to.Host) {
		return fmt.Errorf("%w: %s redirects to %s, which holds no part of the file", errProtocol, from.Host, to.Host)
	}
	return nil
}
