package webhdfs

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
)

// An ACL lists the permissions of a file in HDFS. It is for display; the
// NameNode decides (see MayRead).
type ACL struct {
	Owner, Group string
	Mode         fs.FileMode
	Entries      []string // in addition to the mode, such as "user:alice:r--"
}

// ACL returns the ACL of an absolute path.
func (c *Client) ACL(ctx context.Context, path string) (ACL, error) {
	var acl ACL
	err := c.call(ctx, operation{verb: "acl", name: "GETACLSTATUS", path: path}, func(a answer) error {
		var body struct {
			AclStatus *struct {
				Owner, Group, Permission string
				Entries                  []string
			}
		}
		if err := a.decode(&body); err != nil {
			return err
		}
		if body.AclStatus == nil {
			return fmt.Errorf("%w: no AclStatus", errProtocol)
		}
		s := body.AclStatus
		mode, err := strconv.ParseUint(s.Permission, 8, 16)
		if err != nil {
			return fmt.Errorf("%w: invalid permission %q", errProtocol, s.Permission)
		}
		acl = ACL{s.Owner, s.Group, fs.FileMode(mode) & fs.ModePerm, s.Entries}
		return nil
	})
	return acl, err
}
