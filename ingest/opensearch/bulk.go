package opensearch

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"tkit/ingest/commit"
	"tkit/ingest/failure"
)

// mostDocuments and mostBytes bound a bulk request. A larger document has a request of
// its own.
const (
	mostDocuments = 256
	mostBytes     = 4 << 20
)

// A document is that of an image.
type document struct {
	id   string
	text []byte // JSON, in one line
}

// Write writes the document of an image, an object in JSON, and returns when OpenSearch
// has it on disk. Its ID is the SHA-256 of the image, so that writing it again replaces
// it. An error is a *failure.Error.
func (s *Sink) Write(ctx context.Context, sum [32]byte, text []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return &failure.Error{Stage: Stage, Err: err}
	}
	err := s.documents.Do(ctx, document{hex.EncodeToString(sum[:]), line.Bytes()})
	if err == nil {
		return nil
	}
	return &failure.Error{Stage: Stage, Kind: KindOf(err), Err: s.describe(err)}
}

// commit writes documents and returns the error of each.
func (s *Sink) commit(documents []document) []error {
	errs := make([]error, 0, len(documents))
	for len(documents) > 0 {
		n := fitting(documents)
		errs = append(errs, s.bulk(documents[:n])...)
		documents = documents[n:]
	}
	return errs
}

// fitting returns how many documents, at least one, have a place in one request.
func fitting(documents []document) int {
	bytes := 0
	for i, d := range documents {
		if bytes += len(d.text); bytes > mostBytes && i > 0 {
			return i
		}
	}
	return len(documents)
}

// bulk writes documents in one request. If OpenSearch refuses it as a whole, each is
// written in a request of its own.
func (s *Sink) bulk(documents []document) []error {
	errs, err := s.send(documents)
	if err == nil {
		return errs
	}
	if len(documents) == 1 || KindOf(err) == failure.Outage {
		return commit.All(len(documents), err)
	}
	for i := range documents {
		if errs[i] = err; s.ctx.Err() == nil {
			errs[i] = s.bulk(documents[i : i+1])[0]
		}
	}
	return errs
}

// send sends a bulk request, and returns the error of each document, or that of the
// request.
func (s *Sink) send(documents []document) ([]error, error) {
	errs := make([]error, len(documents))
	var body bytes.Buffer
	for _, d := range documents {
		fmt.Fprintf(&body, "{\"index\": {\"_id\": %q}}\n%s\n", d.id, d.text)
	}
	var answer struct {
		Items []struct {
			Index struct {
				Status int
				Error  refusal
			}
		}
	}
	if err := s.request(s.ctx, http.MethodPost, "/_bulk?filter_path=items.*.status,items.*.error", &body, &answer); err != nil {
		return errs, err
	}
	if len(answer.Items) != len(documents) {
		return errs, fmt.Errorf("OpenSearch answers for %d of %d documents", len(answer.Items), len(documents))
	}
	for i, item := range answer.Items {
		if status := item.Index.Status; status/100 != 2 {
			refused := item.Index.Error
			refused.status = status
			errs[i] = &refused
		}
	}
	return errs, nil
}
