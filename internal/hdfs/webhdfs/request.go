package webhdfs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// root is the path of the API on every server.
const root = "/webhdfs/v1"

// mostAnswer bounds the size of any answer except a file's content. A batch of
// a listing has at most a thousand names of 255 bytes.
const mostAnswer = 64 << 20

// An operation is one call of the API about one path.
type operation struct {
	verb  string // for errors
	name  string // OPEN, GETFILESTATUS, ...
	path  string // absolute
	query map[string]string
	user  string // user to act as; "" is the client's own
}

// An answer is a server's response to an operation: a body or a redirect.
type answer struct {
	*http.Response
	from *url.URL
}

func (a answer) close() {
	// The connection is reused only if the answer is read to its end.
	io.CopyN(io.Discard, a.Body, 4<<10)
	a.Body.Close()
}

// decode parses the body as JSON.
func (a answer) decode(into any) error {
	limited := &io.LimitedReader{R: a.Body, N: mostAnswer}
	body, err := io.ReadAll(limited)
	if err != nil {
		return lost(a.Request.Context(), a.from, err)
	}
	if limited.N == 0 {
		return fmt.Errorf("%w: %s answers with more than %d MB", errProtocol, a.from.Host, mostAnswer>>20)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: %s: %w", errProtocol, a.from.Host, err)
	}
	return nil
}

// ask sends an operation to one server with the client's identity.
func (c *Client) ask(ctx context.Context, server string, op operation) (answer, error) {
	u := &url.URL{Scheme: c.scheme(), Host: server, Path: root + op.path, RawPath: root + escape(op.path)}
	query := url.Values{"op": {op.name}}
	for name, value := range op.query {
		query.Set(name, value)
	}
	return c.identity.do(ctx, u, query, op.user, c.send)
}

func (c *Client) scheme() string {
	if c.settings.TLS {
		return "https"
	}
	return "http"
}

// escape encodes a path so that servers read each name literally: net/url keeps
// characters that some of them interpret, such as ";".
func escape(path string) string {
	elements := strings.Split(path, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	return strings.Join(elements, "/")
}

// send sends one request and returns a success or a redirect to the data.
func (c *Client) send(ctx context.Context, u *url.URL, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.http.RoundTrip(request)
	if err != nil {
		return answer{}, lost(ctx, u, err)
	}
	a := answer{response, u}
	switch response.StatusCode {
	case http.StatusOK, http.StatusTemporaryRedirect:
		return a, nil
	}
	defer a.close()
	return answer{}, refusal(a)
}

// checkRedirect checks the redirect for a file's bytes. The address may contain a
// delegation token that the server made for the reader; no credentials are
// added.
func checkRedirect(from *url.URL, location string) (*url.URL, error) {
	to, err := url.Parse(location)
	switch {
	case err != nil: // its message contains the address
		return nil, fmt.Errorf("%w: %s redirects to no address", errProtocol, from.Host)
	case to.Scheme != "http" && to.Scheme != "https" || to.Host == "" || to.User != nil || !strings.HasPrefix(to.Path, root+"/"):
		return nil, fmt.Errorf("%w: %s redirects to %s://%s, which is not an HDFS server", errProtocol, from.Host, to.Scheme, to.Host)
	case from.Scheme == "https" && to.Scheme != "https":
		return nil, fmt.Errorf("%w: %s redirects to %s without TLS: set dfs.http.policy to HTTPS_ONLY on the DataNodes", errProtocol, from.Host, to.Host)
	}
	return to, nil
}
