package remote

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"tkit/access"
	"tkit/ingest/classify"
	"tkit/ingest/failure"
	"tkit/registry"
)

// metadataAge is how long the description of a version is used before it is read again:
// what restricts a version can change.
const metadataAge = 5 * time.Second

// described is what a server says about a version besides its predictions.
type described struct {
	Preprocessing string          `json:"preprocessing_digest"`
	RestrictedBy  []access.Object `json:"restricted_by"`
	read          time.Time
}

// known are the descriptions of versions. There are few of them: those of the models of
// one classifier.
type known struct {
	mu        sync.Mutex
	byVersion map[string]described
}

func (k *known) get(version string) (described, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.byVersion[version]
	return d, ok && time.Since(d.read) < metadataAge
}

func (k *known) put(version string, d described) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byVersion[version] = d
}

// describe returns the description of a version. A server that does not say what
// restricts it is refused, because the images would lose their restrictions.
func (c *Client) describe(ctx context.Context, version registry.Ref) (described, error) {
	name := version.String()
	if d, ok := c.known.get(name); ok {
		return d, nil
	}
	var answer struct {
		Metadata described `json:"metadata"`
	}
	err := c.patiently(ctx, func() error { return c.ask(ctx, http.MethodGet, modelPath(version)+"/metadata", nil, &answer) })
	if err != nil {
		return described{}, err
	}
	d := answer.Metadata
	if d.Preprocessing == "" || d.RestrictedBy == nil {
		return described{}, &failure.Error{Stage: classify.Stage, Kind: failure.Outage,
			Err: errors.New("the server does not say what restricts " + name + ": it needs a version of tkit that does, and a model of its registry")}
	}
	d.read = time.Now()
	c.known.put(name, d)
	return d, nil
}
