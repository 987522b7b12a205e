package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tkit/ingest/failure"
	"tkit/ingest/web"
)

// maxResponse is the maximum size of a response in bytes.
const maxResponse = 1 << 20

// HTTPOptions say where a service is and how to reach it.
type HTTPOptions struct {
	Server  string // such as "https://assets.example.com/v1"
	Headers map[string]string
	CA      string // see [web.NewClient]
}

// HTTP asks an HTTP service for JSON. Its methods may be called concurrently. Close ends
// it.
type HTTP struct {
	base    string
	headers http.Header
	client  *http.Client
}

// NewHTTP checks the options. It connects to nothing.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	if _, err := web.ParseServer(o.Server); err != nil {
		return nil, err
	}
	client, err := web.NewClient(o.CA)
	if err != nil {
		return nil, err
	}
	headers := make(http.Header)
	headers.Set("Accept", "application/json")
	for name, value := range o.Headers {
		headers.Set(name, value)
	}
	return &HTTP{base: strings.TrimRight(o.Server, "/"), headers: headers, client: client}, nil
}

// Close closes the connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Get asks for a path of the server, with an optional query. The statuses 404 and 410,
// and the answers 204 and null, mean that nothing was found. An error is a
// *failure.Error.
func (h *HTTP) Get(ctx context.Context, path string) (Answer, error) {
	if !strings.HasPrefix(path, "/") {
		return Answer{}, failed(failure.Unknown, fmt.Errorf("the path %q does not begin with /", path))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+path, nil)
	if err != nil {
		return Answer{}, failed(failure.Unknown, fmt.Errorf("the path %q is not valid in a URL", path))
	}
	request.Header = h.headers.Clone()
	r, err := h.client.Do(request)
	if err != nil {
		return Answer{}, noAnswer(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	switch {
	case err != nil:
		return Answer{}, noAnswer(err)
	case r.StatusCode == http.StatusNotFound || r.StatusCode == http.StatusGone || r.StatusCode == http.StatusNoContent:
		return Answer{}, nil
	case r.StatusCode != http.StatusOK:
		return Answer{}, refused(r)
	case len(text) > maxResponse:
		return Answer{}, failed(failure.Unknown, fmt.Errorf("the answer is larger than %d KiB", maxResponse>>10))
	case !json.Valid(text):
		return Answer{}, failed(failure.Unknown, errors.New("the answer is not JSON"))
	case bytes.Equal(bytes.TrimSpace(text), []byte("null")):
		return Answer{}, nil
	}
	return Answer{Found: true, JSON: text}, nil
}

// refused returns the error of a response with another status than 200.
func refused(r *http.Response) error {
	err := fmt.Errorf("the service answers %s", r.Status)
	switch {
	case r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout:
		return failed(failure.Outage, err)
	case r.StatusCode < 400:
		return failed(failure.Outage, fmt.Errorf("%w: %w; redirects are not followed, so name the last address", ErrMisconfigured, err))
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		return failed(failure.Outage, fmt.Errorf("%w: %w", ErrMisconfigured, err))
	}
	return failed(failure.Unknown, err)
}
