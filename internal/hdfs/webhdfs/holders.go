package webhdfs

import (
	"context"
	"fmt"
	"net/url"
	"slices"
)

// holders are the DataNodes that have a file's bytes, as far as the NameNode was
// asked for them.
type holders struct {
	addresses []string
	untold    bool // the server does not tell where blocks are
}

// checkHolder refuses to go where a NameNode sends us unless that is a DataNode
// that has the bytes, or the server itself: the address holds a token that lets
// whoever has it act as the user.
func (r *Reader) checkHolder(ctx context.Context, from, to *url.URL) error {
	if r.holders.untold || slices.Contains(r.client.settings.servers, to.Host) || slices.Contains(r.holders.addresses, to.Host) {
		return nil
	}
	// Another block than was asked for, or it has moved meanwhile.
	b, err := r.client.blocks(ctx, r.path, r.offset, r.client.attempt)
	if err != nil {
		return err
	}
	r.holders.addresses = append(r.holders.addresses, b.addresses()...)
	if !slices.Contains(r.holders.addresses, to.Host) {
		return fmt.Errorf("%w: %s redirects to %s, which has no part of the file", errProtocol, from.Host, to.Host)
	}
	return nil
}
