package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A sender sends one request: Client.send.
type sender func(ctx context.Context, u *url.URL, header http.Header) (answer, error)

// An identity authenticates requests. The address passed to do has no query.
type identity interface {
	// do sends a query to a server, as a user or, if as is "", as itself.
	do(ctx context.Context, u *url.URL, query url.Values, as string, send sender) (answer, error)
	close()
}

func newIdentity(s settings) (identity, error) {
	if s.principal != "" {
		return newTicket(s)
	}
	return claim{s.User, s.DoAs}, nil
}

// A claim is the user name sent to a cluster without Kerberos.
type claim struct{ name, doAs string }

func (c claim) user() string {
	if c.doAs != "" {
		return c.doAs
	}
	return c.name
}

func (c claim) do(ctx context.Context, u *url.URL, query url.Values, as string, send sender) (answer, error) {
	if as == "" {
		as = c.user()
	}
	if c.doAs == "" {
		query.Set("user.name", as)
	} else {
		query.Set("user.name", c.name)
		query.Set("doas", as)
	}
	u.RawQuery = query.Encode()
	a, err := send(ctx, u, nil)
	var denied *unauthorized
	if errors.As(err, &denied) && denied.negotiate {
		return answer{}, fmt.Errorf("%w: the cluster requires Kerberos: put the cluster's core-site.xml, "+
			"with hadoop.security.authentication = kerberos, in HADOOP_CONF_DIR, and provide a ticket (kinit) or a keytab", err)
	}
	return a, explainProxy(err, c.name, as)
}

func (c claim) close() {}
