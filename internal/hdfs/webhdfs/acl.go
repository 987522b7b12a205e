package webhdfs

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
)

// An ACL is who may do what with a file, as HDFS has it. Decisions are the
// NameNode's (see MayRead); this is for people to look at.
type ACL struct {
	Owner, Group string
	Mode         fs.FileMode
	Entries      []string // beside the mode's, such as "user:alice:r--"
}

// ACL says who may do what with an absolute path.
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
			return fmt.Errorf("%w: the permission %q", errProtocol, s.Permission)
		}
		acl = ACL{s.Owner, s.Group, fs.FileMode(mode) & fs.ModePerm, s.Entries}
		return nil
	})
	return acl, err
}
