package webhdfs

import (
	"context"
	"fmt"
	"path"
)

// seen asks the cluster for the user it sees. This applies the cluster's
// hadoop.security.auth_to_local, which this machine's configuration may lack,
// and impersonation. The user is the last element of the home folder that the
// cluster returns.
func (c *Client) seen(ctx context.Context) (string, error) {
	var home struct{ Path string }
	op := operation{verb: "home", name: "GETHOMEDIRECTORY", path: "/"}
	err := c.call(ctx, op, func(a answer) error { return a.decode(&home) })
	if err != nil {
		return "", err
	}
	user := path.Base(home.Path)
	if !path.IsAbs(home.Path) || user == "/" {
		return "", fmt.Errorf("%w: the home folder %q names no user", errProtocol, home.Path)
	}
	return user, nil
}
