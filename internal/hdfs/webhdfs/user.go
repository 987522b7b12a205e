package webhdfs

import (
	"context"
	"fmt"
	"path"
)

// seen asks the cluster whom it takes this client for: by its own
// hadoop.security.auth_to_local, which this machine's configuration may lack,
// and by the user that is acted for. It is the last element of the home folder
// that the cluster makes of the name.
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
