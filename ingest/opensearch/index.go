// Package opensearch writes the results of a pipeline into an index of OpenSearch.
package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tkit/ingest/commit"
	"tkit/ingest/web"
)

// Stage is the stage of this package's failures.
const Stage = "opensearch"

// An Index is an index with one document for each image.
type Index struct {
	Servers        []string // URLs of nodes of one cluster
	CA             string   // see [web.NewClient]
	User, Password string
	Name           string // of an index or an alias
	Create         bool   // the index if it is missing
}

// Check returns what is wrong with the description of an index. It connects to nothing.
// The error has no password.
func (i Index) Check() error {
	if len(i.Servers) == 0 {
		return errors.New("servers is empty: name a node of the cluster")
	}
	for _, server := range i.Servers {
		u, err := web.ParseServer(server)
		if err != nil {
			return err
		}
		if i.Password != "" && u.Scheme == "http" && !web.IsLocal(u.Hostname()) {
			return errors.New("the password would be readable on the network: use an https:// URL")
		}
	}
	if (i.User == "") != (i.Password == "") {
		return errors.New("user and password belong together")
	}
	return checkName(i.Name)
}

// checkName checks a name as OpenSearch does. It also keeps out patterns and lists,
// which name several indices.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > 255 || name == "." || name == "..":
		return errors.New("index must be a name of 1 to 255 bytes")
	case strings.ContainsAny(name, `\/*?"<>| ,#:`) || name != strings.ToLower(name) || strings.ContainsAny(name[:1], "-_+"):
		return fmt.Errorf("the index %q must be in lower case, have none of \\ / * ? \" < > | , # : and spaces, and not begin with - _ +", name)
	}
	return nil
}

// requestTimeout bounds a request.
const requestTimeout = time.Minute

// maxResponse is the maximum size of a response in bytes: that of a bulk request has a
// line or two for each document.
const maxResponse = 16 << 20

// A Sink writes documents. Its methods may be called concurrently.
type Sink struct {
	index     Index
	http      *http.Client
	server    atomic.Uint32 // the number of servers that have failed
	documents *commit.Group[document]
	ctx       context.Context // of bulk requests
	stop      context.CancelFunc
}

// Open finds the index, or creates it if that is wanted. An error that does not end by
// itself is reported by IsMisconfigured. The caller closes the sink.
func (i Index) Open(ctx context.Context) (*Sink, error) {
	if err := i.Check(); err != nil {
		return nil, err
	}
	client, err := web.NewClient(i.CA)
	if err != nil {
		return nil, err
	}
	s := &Sink{index: i, http: client}
	if err := s.prepare(ctx); err != nil {
		client.CloseIdleConnections()
		return nil, s.describe(err)
	}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.documents = commit.NewGroup(mostDocuments, s.commit)
	return s, nil
}

// settings are those of an index that is created. OpenSearch takes the type of a field from
// its first value, and refuses or rounds later ones: a probability that happens to be 1
// would make integers of all, and a name that looks like a date, dates. Text is a keyword,
// so that labels are counted as they are; longer text is kept, and cannot be searched.
const settings = `{"mappings": {
  "date_detection": false,
  "dynamic_templates": [
    {"text": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}},
    {"numbers": {"match_mapping_type": "long", "mapping": {"type": "double"}}}
  ],
  "properties": {"modified": {"type": "date"}, "size": {"type": "long"}, "version": {"type": "long"}}
}}`

// prepare finds or creates the index.
func (s *Sink) prepare(ctx context.Context) error {
	err := s.request(ctx, http.MethodHead, "", nil, nil)
	if r, refused := errors.AsType[*refusal](err); !refused || r.status != http.StatusNotFound {
		return err
	}
	if !s.index.Create {
		return fmt.Errorf("it does not exist: make it, or set `create: true`: %w", err)
	}
	err = s.request(ctx, http.MethodPut, "", strings.NewReader(settings), nil)
	if r, refused := errors.AsType[*refusal](err); refused && r.Type == "resource_already_exists_exception" {
		return nil // another process was faster
	}
	return err
}

// Close waits for the request in progress, until ctx ends, and closes the connections.
func (s *Sink) Close(ctx context.Context) error {
	defer s.stop()
	defer context.AfterFunc(ctx, s.stop)()
	s.documents.Close()
	s.http.CloseIdleConnections()
	return nil
}

// describe adds the name of the index to an error.
func (s *Sink) describe(err error) error { return fmt.Errorf("index %s: %w", s.index.Name, err) }

// request sends a request to a path below the index and decodes the response, unless
// into is nil. An error is a *refusal if the server answers with one. After a failure of
// the server the next request goes to the next one.
func (s *Sink) request(ctx context.Context, method, path string, body io.Reader, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	failed := s.server.Load()
	server := s.index.Servers[int(failed)%len(s.index.Servers)]
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(server, "/")+"/"+url.PathEscape(s.index.Name)+path, body)
	if err != nil {
		return err
	}
	if s.index.User != "" {
		r.SetBasicAuth(s.index.User, s.index.Password)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	err = s.exchange(r, into)
	if refused, is := errors.AsType[*refusal](err); err != nil && (!is || refused.status >= http.StatusInternalServerError) {
		s.server.CompareAndSwap(failed, failed+1)
	}
	return err
}

// exchange sends a request and decodes the response.
func (s *Sink) exchange(r *http.Request, into any) error {
	response, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	switch {
	case err != nil:
		return err
	case response.StatusCode/100 != 2:
		return refusalOf(response, text)
	case len(text) > maxResponse:
		return fmt.Errorf("the response is larger than %d MiB", maxResponse>>20)
	case into == nil:
		return nil
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
		return fmt.Errorf("the response is not that of OpenSearch: %w", err)
	}
	return nil
}
