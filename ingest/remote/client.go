// Package remote classifies the images of a pipeline with a tkit server.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/ingest/web"
	"tkit/registry"
)

// requestTimeout bounds a request whose server does not respond. Servers have shorter
// timeouts of their own.
const requestTimeout = 2 * time.Minute

// maxResponse is the maximum size of a response in bytes.
const maxResponse = 8 << 20

// Options say where a server is and how to reach it.
type Options struct {
	URL string // such as "https://models.example.com:8443"
	// Token is sent with every request. "" is for servers that require none. It is
	// not sent over plain HTTP to another machine.
	Token string
	// CA is a file with the certificates of authorities in PEM. "" means those of
	// the system.
	CA string
}

// A Client classifies with a server. Its methods may be called concurrently.
type Client struct {
	base  string // without a slash at the end
	token string
	http  *http.Client
	known known
}

// New checks the options and returns a client. It connects at the first image. The
// caller closes the client.
func New(o Options) (*Client, error) {
	u, err := web.ParseServer(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Token != "" && u.Scheme == "http" && !web.IsLocal(u.Hostname()) {
		return nil, errors.New("the token would be readable on the network: use an https:// URL")
	}
	client, err := web.NewClient(o.CA)
	if err != nil {
		return nil, err
	}
	return &Client{base: strings.TrimRight(o.URL, "/"), token: o.Token, http: client, known: known{byVersion: make(map[string]described)}}, nil
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Classify classifies an image as [classify.Engine.Classify] does, with the models of
// the server. Its requests for several models share batches there. It waits while the
// server is overloaded or a model is being loaded.
//
// An error is a *failure.Error: Lasting if the image cannot be used, an Outage if the
// server cannot be reached. It wraps access.ErrUnauthenticated or access.ErrDenied if
// the server refuses the token, or registry.ErrNotFound if it has no such model.
func (c *Client) Classify(ctx context.Context, image []byte, models []registry.Ref, top int) ([]classify.Result, error) {
	results := make([]classify.Result, len(models))
	group, ctx := errgroup.WithContext(ctx)
	for i, ref := range models {
		group.Go(func() (err error) {
			results[i], err = c.classify(ctx, image, ref, top)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}

// response is what a server answers to :classify-image.
type response struct {
	Model       string `json:"model"`
	Version     int    `json:"version"`
	Predictions []struct {
		Labels json.RawMessage `json:"labels"`
	} `json:"predictions"`
}

// classify asks one model.
func (c *Client) classify(ctx context.Context, image []byte, ref registry.Ref, top int) (r classify.Result, err error) {
	var answer response
	err = c.patiently(ctx, func() error {
		return c.ask(ctx, http.MethodPost, modelPath(ref)+":classify-image?top="+strconv.Itoa(top), image, &answer)
	})
	if err != nil {
		return r, err
	}
	r = classify.Result{Model: answer.Model, Version: answer.Version, Alias: ref.Alias}
	if len(answer.Predictions) == 1 {
		err = json.Unmarshal(answer.Predictions[0].Labels, &r.Labels)
	}
	if err != nil || len(r.Labels) == 0 || r.Model != ref.Model || r.Version < 1 {
		return r, &failure.Error{Stage: classify.Stage, Err: errors.New("the server's response has no prediction; is it a tkit server?")}
	}
	d, err := c.describe(ctx, registry.Ref{Model: r.Model, Version: r.Version})
	r.Preprocessing, r.RestrictedBy = d.Preprocessing, d.RestrictedBy
	return r, err
}

// modelPath returns the path of a model in the server's API.
func modelPath(ref registry.Ref) string {
	path := "/v1/models/" + url.PathEscape(ref.Model)
	switch {
	case ref.Version > 0:
		path += "/versions/" + strconv.Itoa(ref.Version)
	case ref.Alias != "":
		path += "/labels/" + url.PathEscape(ref.Alias)
	}
	return path
}

// ask sends one request and reads its response. The error is a *failure.Error.
func (c *Client) ask(ctx context.Context, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return unreachable(err)
	}
	if body != nil {
		// The server finds out the format by the content.
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	r, err := c.http.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	switch {
	case err != nil:
		return unreachable(err)
	case r.StatusCode != http.StatusOK:
		return refused(r, text)
	case len(text) > maxResponse:
		return &failure.Error{Stage: classify.Stage, Err: fmt.Errorf("the server's response is larger than %d MiB", maxResponse>>20)}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &failure.Error{Stage: classify.Stage, Err: errors.New("the server's response is not JSON; is it a tkit server?")}
	}
	return nil
}

// unreachable is the error of a request without a response.
func unreachable(err error) error {
	return &failure.Error{Stage: classify.Stage, Kind: failure.Outage, Err: fmt.Errorf("the server does not answer: %w", err)}
}
