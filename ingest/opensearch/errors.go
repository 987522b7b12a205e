package opensearch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"tkit/ingest/failure"
)

// A refusal is an answer of OpenSearch that is an error, for a request or for one
// document.
type refusal struct {
	status  int
	Type    string  `json:"type"`
	Reason  string  `json:"reason"`
	Because *reason `json:"caused_by"`
}

type reason struct {
	Reason string `json:"reason"`
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("OpenSearch answers %d %s", r.status, http.StatusText(r.status))
	if r.status/100 == 3 {
		text += "; redirects are not followed, so name the last address"
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	if r.Because != nil && r.Because.Reason != "" {
		text += ": " + r.Because.Reason
	}
	return text
}

// refusalOf returns the refusal of a request. What is between may answer with another
// text than OpenSearch.
func refusalOf(r *http.Response, text []byte) *refusal {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	var found refusal
	if json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer.Error, &found) != nil {
		found = refusal{}
	}
	found.status = r.StatusCode
	return &found
}

// KindOf returns what an error of this package means for an image: only a document that
// OpenSearch refuses is the image's fault; what is wrong with the cluster is waited for.
func KindOf(err error) failure.Kind {
	r, refused := errors.AsType[*refusal](err)
	if !refused {
		return failure.Outage // no answer
	}
	switch r.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return failure.Lasting
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return failure.Outage
	}
	if r.status/100 == 4 {
		return failure.Unknown
	}
	return failure.Outage
}

// IsMisconfigured reports whether an error does not end before somebody changes the
// pipeline or the cluster: the password is wrong, a right or the index is missing.
func IsMisconfigured(err error) bool {
	r, refused := errors.AsType[*refusal](err)
	if !refused {
		return false
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusBadRequest:
		return true
	case http.StatusForbidden:
		return r.Type != "cluster_block_exception" // an index that is read-only for a while
	}
	return r.status < 400 // a redirect
}
