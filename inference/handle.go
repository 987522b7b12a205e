package inference

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"

	"tkit/registry"
)

// A Version identifies the version of a model that a servable is.
type Version struct {
	Model  string
	Number int
	// Manifest is nil if the version does not come from a registry.
	Manifest *registry.Manifest
}

// String is MODEL@VERSION.
func (v Version) String() string { return v.Model + "@" + strconv.Itoa(v.Number) }

// A Handle holds a servable for its users: the manager and the requests. The
// caller of [Manager.Acquire] releases it at the end of the request; until then
// the servable stays loaded.
type Handle struct {
	Version
	servable Servable

	users atomic.Int64
	idle  chan struct{} // closed when the last user has released it
}

// newHandle returns a handle with one user, who ends with Close.
func newHandle(v Version, s Servable) *Handle {
	h := &Handle{Version: v, servable: s, idle: make(chan struct{})}
	h.users.Store(1)
	return h
}

// Signatures are what Run can compute, by name.
func (h *Handle) Signatures() map[string]Signature { return h.servable.Signatures() }

// Signature returns the signature of a name, and the name: "" is that of
// DefaultSignature. The error's reason is BadRequest.
func (h *Handle) Signature(name string) (string, Signature, error) {
	if name == "" {
		name = DefaultSignature
	}
	all := h.servable.Signatures()
	s, ok := all[name]
	if ok {
		return name, s, nil
	}
	err := fmt.Errorf("%s has no signature %.100q; it has %q", h.Version, name, sortedNames(all))
	if partial, ok := h.servable.(interface{ Refused(signature string) error }); ok && partial.Refused(name) != nil {
		err = fmt.Errorf("%s does not serve signature %.100q: %w", h.Version, name, partial.Refused(name))
	}
	return name, s, &Error{Reason: BadRequest, Err: err}
}

// Run computes outputs of a signature, in the order of their names; without names
// it computes all outputs, and the name "" is the default signature. The inputs
// may come in any order. An error caused by the request has the reason BadRequest
// or TooLarge.
func (h *Handle) Run(ctx context.Context, signature string, inputs []Tensor, outputs []string) ([]Tensor, Timings, error) {
	name, s, err := h.Signature(signature)
	if err != nil {
		return nil, Timings{}, err
	}
	ordered, err := s.order(inputs)
	if err == nil {
		outputs, err = s.selected(outputs)
	}
	if err != nil {
		return nil, Timings{}, &Error{Reason: BadRequest, Err: fmt.Errorf("%s: %w", h.Version, err)}
	}
	return h.servable.Run(ctx, name, ordered, outputs)
}

// Classify is [ImageClassifier.Classify]. The error's reason is BadRequest if the
// servable is not an image classifier.
func (h *Handle) Classify(ctx context.Context, images [][]byte) ([]Prediction, Timings, error) {
	c, err := h.classifier()
	if err != nil {
		return nil, Timings{}, err
	}
	return c.Classify(ctx, images)
}

// Stream is [ImageClassifier.Stream], with the error of Classify.
func (h *Handle) Stream(ctx context.Context, items iter.Seq[Item], emit EmitPrediction) error {
	c, err := h.classifier()
	if err != nil {
		return err
	}
	return c.Stream(ctx, items, emit)
}

func (h *Handle) classifier() (ImageClassifier, error) {
	c, ok := h.servable.(ImageClassifier)
	if !ok {
		return nil, &Error{Reason: BadRequest, Err: fmt.Errorf("%s takes tensors, not encoded images", h.Version)}
	}
	return c, nil
}

// acquire adds a user. It returns false if the last user has already released
// the servable.
func (h *Handle) acquire() bool {
	for {
		n := h.users.Load()
		if n == 0 {
			return false
		}
		if h.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release ends a use of the servable.
func (h *Handle) Release() {
	if h.users.Add(-1) == 0 {
		close(h.idle)
	}
}

// Close releases the first use, that of the loader of the servable. It waits for
// the other uses and closes the servable.
func (h *Handle) Close() error {
	h.Release()
	<-h.idle
	return h.servable.Close()
}
