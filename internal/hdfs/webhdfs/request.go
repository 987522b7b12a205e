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

// root is where the API stands on every server.
const root = "/webhdfs/v1"

// mostAnswer bounds what a server may answer to anything but the reading of a
// file. A batch of a listing has a thousand names of 255 bytes at most.
const mostAnswer = 64 << 20

// An operation is one call of the API about one path.
type operation struct {
	verb  string // as errors name it
	name  string // OPEN, GETFILESTATUS, ...
	path  string // absolute
	query map[string]string
	user  string // whom to act as; "" is the client's own
}

// An answer is what a server says to an operation: a body, or where to go.
type answer struct {
	*http.Response
	from *url.URL
}

func (a answer) close() {
	// A connection is used again only after the end of the answer.
	io.CopyN(io.Discard, a.Body, 4<<10)
	a.Body.Close()
}

// decode reads the body as JSON into a value.
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

// ask sends an operation to one server, with the client's identity.
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

// escape writes a path so that servers read each name as it is: net/url leaves
// characters alone that some of them take for their own, such as ";".
func escape(path string) string {
	elements := strings.Split(path, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	return strings.Join(elements, "/")
}

// send sends one request and gives an answer that is a success or a redirect to
// where the data is.
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

// follow checks where a server sends us for a file's bytes. What stands in the
// address, such as a delegation token, was made by the server for that reader;
// nothing of ours is added.
func follow(from *url.URL, location string) (*url.URL, error) {
	to, err := url.Parse(location)
	switch {
	case err != nil: // which has the address in it
		return nil, fmt.Errorf("%w: %s redirects to no address", errProtocol, from.Host)
	case to.Scheme != "http" && to.Scheme != "https" || to.Host == "" || to.User != nil || !strings.HasPrefix(to.Path, root+"/"):
		return nil, fmt.Errorf("%w: %s redirects to %s://%s, which is no server of HDFS", errProtocol, from.Host, to.Scheme, to.Host)
	case from.Scheme == "https" && to.Scheme != "https":
		return nil, fmt.Errorf("%w: %s redirects to %s without TLS: set dfs.http.policy to HTTPS_ONLY on the DataNodes", errProtocol, from.Host, to.Host)
	}
	return to, nil
}
