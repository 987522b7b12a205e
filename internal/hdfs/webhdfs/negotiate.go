package webhdfs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/jcmturner/gokrb5/v8/spnego"

	"tkit/internal/guard"
	"tkit/internal/hdfs"
)

// A ticket authenticates to a cluster with Kerberos. It is presented to each
// server once, by SPNEGO; later requests send the cookie that the server
// returned.
type ticket struct {
	login     *hdfs.Login
	principal string // of the servers, with _HOST for their names
	doAs      string

	making  chan struct{} // a semaphore: the library makes one token at a time
	mu      sync.Mutex
	cookies map[string]string // by server
}

// authCookie is the name of Hadoop's authentication cookie. Its value contains
// the method, "...&t=kerberos&...", and is signed.
const authCookie = "hadoop.auth"

func newTicket(s settings) (*ticket, error) {
	login, err := hdfs.NewLogin(s.Kerberos, s.User, s.site)
	if err != nil {
		return nil, err
	}
	return &ticket{
		login: login, principal: s.principal, doAs: s.DoAs,
		making: make(chan struct{}, 1), cookies: map[string]string{},
	}, nil
}

func (t *ticket) user() string {
	if t.doAs != "" {
		return t.doAs
	}
	return t.own()
}

// own returns the cluster's name for the ticket's user.
func (t *ticket) own() string { return t.login.User() }

func (t *ticket) close() { t.login.Close() }

// do never sends a user name: the server must verify the ticket.
func (t *ticket) do(ctx context.Context, u *url.URL, query url.Values, as string, send sender) (answer, error) {
	if as == "" {
		as = t.user()
	}
	if as != t.own() {
		query.Set("doas", as)
	}
	u.RawQuery = query.Encode()
	if cookie := t.cookie(u.Host); cookie != "" {
		a, err := send(ctx, u, http.Header{"Cookie": {authCookie + "=" + cookie}})
		if !stale(err) {
			return a, explainProxy(err, t.own(), as)
		}
		t.keep(u.Host, "")
	}
	token, err := t.token(ctx, u.Hostname())
	if err != nil {
		return answer{}, err
	}
	a, err := send(ctx, u, http.Header{"Authorization": {"Negotiate " + token}})
	if err != nil {
		return answer{}, explainProxy(t.explain(u, err), t.own(), as)
	}
	if err := t.believed(u, a.Header); err != nil {
		a.close()
		return answer{}, err
	}
	return a, nil
}

// stale reports that a server rejected its cookie: the cookie expired, or the
// server has a new secret after a restart.
func stale(err error) bool {
	var denied *unauthorized
	var remote *remoteError
	return errors.As(err, &denied) || errors.As(err, &remote) && remote.Exception == "" && remote.status == http.StatusForbidden
}

// believed checks that the server verified the ticket. A server without
// Kerberos answers too, without identifying the user, and its answers cannot be
// trusted.
func (t *ticket) believed(u *url.URL, header http.Header) error {
	for _, c := range (&http.Response{Header: header}).Cookies() {
		if c.Name == authCookie && strings.Contains(c.Value, "t=kerberos") {
			t.keep(u.Host, c.Value)
			return nil
		}
	}
	for _, challenge := range header.Values("WWW-Authenticate") {
		if isNegotiate(challenge) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s does not ask for the Kerberos ticket, but hadoop.security.authentication says that the cluster does: "+
		"set dfs.web.authentication.kerberos.principal and hadoop.http.authentication.type = kerberos there", fs.ErrPermission, u.Host)
}

// token returns a SPNEGO token for one host, to be used once.
func (t *ticket) token(ctx context.Context, host string) (string, error) {
	select {
	case t.making <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	type made struct {
		token string
		err   error
	}
	done := make(chan made, 1)
	go func() { // the library takes no context; its own deadlines end it
		defer func() { <-t.making }()
		var m made
		m.err = guard.Call(func() (err error) {
			m.token, err = t.makeToken(host)
			return err
		})
		done <- m
	}()
	select {
	case m := <-done:
		return m.token, m.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (t *ticket) makeToken(host string) (string, error) {
	name, _, _ := strings.Cut(t.principal, "@")
	if name == "*" {
		name = "HTTP/_HOST"
	}
	name = strings.ReplaceAll(name, "_HOST", strings.ToLower(host))
	token, err := t.negotiation(name)
	if err != nil {
		// The library renews tickets, except those that have expired.
		t.login.Forget()
		token, err = t.negotiation(name)
	}
	if err != nil {
		return "", t.login.Explain(fmt.Errorf("kerberos ticket of %s for %s: %w", t.login.Owner(), name, err))
	}
	return base64.StdEncoding.EncodeToString(token), nil
}

func (t *ticket) negotiation(principal string) ([]byte, error) {
	client, err := t.login.Client()
	if err != nil {
		return nil, err
	}
	context, err := spnego.SPNEGOClient(client, principal).InitSecContext()
	if err != nil {
		return nil, err
	}
	return context.Marshal()
}

// explain adds likely causes to a server's rejection of the ticket.
func (t *ticket) explain(u *url.URL, err error) error {
	var denied *unauthorized
	if !errors.As(err, &denied) {
		return err
	}
	t.login.Forget()
	if !denied.negotiate {
		return fmt.Errorf("%w: it does not accept Kerberos tickets", err)
	}
	return fmt.Errorf("%w: it rejects the ticket of %s: check the clocks, and that it is %s", err, t.login.Owner(),
		strings.ReplaceAll(t.principal, "_HOST", u.Hostname()))
}

// explainProxy names the settings by which a cluster allows impersonation.
func explainProxy(err error, own, as string) error {
	var remote *remoteError
	if own == as || !errors.As(err, &remote) || !strings.Contains(remote.Message, "impersonate") {
		return err
	}
	return fmt.Errorf("%w: allow it by hadoop.proxyuser.%s.users (or .groups) and .hosts in the NameNodes' core-site.xml, or act as %s", err, own, as)
}

func (t *ticket) cookie(host string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cookies[host]
}

func (t *ticket) keep(host, cookie string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cookies[host] = cookie
}
