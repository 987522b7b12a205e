package hdfs

import (
	"context"
	"fmt"
	"iter"
)

// MayRead asks the NameNode whether a user may read every file of a list of
// absolute paths. The error names the first file denied: an *fs.PathError with
// fs.ErrPermission. Each check requests the location of the file's first block,
// as a reader does. No data is read, and modes and ACLs are not interpreted
// here.
//
// On a cluster without Kerberos the NameNode answers for any user named, with
// Kerberos only for the ticket's own user. For other users webhdfs:// has doas.
func (c *Client) MayRead(ctx context.Context, user string, paths iter.Seq[string]) error {
	as := c
	switch {
	case user == c.User():
	case c.login != nil:
		return fmt.Errorf("hdfs: the ticket belongs to %s, and the native client cannot ask on behalf of %s: "+
			"act as that user, or read the cluster through webhdfs:// as a proxy user", c.User(), user)
	default:
		as = &Client{settings: c.settings, nameNodes: nameNodes{addresses: c.nameNodes.order()}}
		as.settings.options.User = user
		defer as.Close()
	}
	for path := range paths {
		if err := as.call(ctx, "open", path, func(s *session) error {
			_, err := execute(s.lib, "getBlockLocations", map[string]any{"src": path, "offset": uint64(0), "length": uint64(1)})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
