// Package components are tkit's components for the stream engine, Bento: inputs,
// processors and outputs that pipelines name in YAML. Each has one specification, from
// which its parser, its checks and its documentation are made.
package components

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/warpstreamlabs/bento/public/bloblang"

	"tkit/ingest/classify"
	"tkit/ingest/ledger"
	"tkit/registry"
)

// A Run is what the components of one running pipeline share.
type Run struct {
	Name   string // of the pipeline
	Folder string // of the pipeline's file: paths are relative to it
	State  string // the folder of the run's own files
	// Process is the number of this process among those that run the pipeline, from 1.
	Process int
	Once    bool // inputs end when they have delivered what exists
	// Attempts is how often an image is tried before it becomes a dead letter, unless
	// its failure is lasting or an outage.
	Attempts int
	InFlight int // images between the input and the last output
	// OrderedBy gives the key of an image: those of one key are delivered in the order
	// in which they were read. It is nil if the order does not matter.
	OrderedBy *bloblang.Executor
	Letters   Letters
	Counters  *Counters
	Metrics   *Metrics
	Log       *slog.Logger
	// Fail ends the run with an error that no attempt can overcome.
	Fail func(error)
	// Stopped is closed when the run is stopped or has failed.
	Stopped  <-chan struct{}
	Classify ClassifyFunc // in this process

	mu       sync.Mutex
	outboxes map[string]func() error // what sends the rest, by the name of the outbox
	ledger   *ledger.Ledger
}

// A ClassifyFunc classifies an image; see [classify.Engine.Classify].
type ClassifyFunc func(ctx context.Context, image []byte, models []registry.Ref, top int) ([]classify.Result, error)

// openLedger opens the run's ledger, once.
func (r *Run) openLedger(ctx context.Context) (*ledger.Ledger, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ledger == nil {
		l, err := ledger.Open(ctx, filepath.Join(r.State, "delivered.db"))
		if err != nil {
			return nil, err
		}
		r.ledger = l
	}
	return r.ledger, nil
}

// takeOutbox takes the name of an outbox, unless it is taken, and reports whether it has
// done so. finish is called when no more images are added.
func (r *Run) takeOutbox(name string, finish func() error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outboxes[name] != nil {
		return false
	}
	if r.outboxes == nil {
		r.outboxes = make(map[string]func() error)
	}
	r.outboxes[name] = finish
	return true
}

// Close sends the messages that wait, and closes what the components have opened. It is
// called when the stream has ended.
func (r *Run) Close() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.outboxes)) {
		err = errors.Join(err, r.outboxes[name]())
	}
	if r.ledger == nil {
		return err
	}
	return errors.Join(err, r.ledger.Close())
}

// Path resolves a path of the pipeline's file.
func (r *Run) Path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.Folder, p)
}
