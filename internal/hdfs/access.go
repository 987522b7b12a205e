package hdfs

import (
	"context"
	"fmt"
	"iter"
)

// MayRead asks the NameNode whether a user may read every file of a list of
// absolute paths, and names the first that it denies: *fs.PathError with
// fs.ErrPermission. Each file is asked for as a reader asks: where its first
// block is. Nothing is read, and nothing is concluded from modes or ACLs here.
//
// The NameNode answers for whom it knows: on a cluster without Kerberos anyone
// named, with Kerberos only the ticket's own user. For others there is the
// doas of webhdfs://.
func (c *Client) MayRead(ctx context.Context, user string, paths iter.Seq[string]) error {
	as := c
	switch {
	case user == c.User():
	case c.login != nil:
		return fmt.Errorf("hdfs: the ticket is that of %s, and the native client cannot ask for %s: "+
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
