// Package components are tkit's components for the stream engine, Bento: inputs,
// processors and outputs that pipelines name in YAML. Each has one specification, from
// which its parser, its checks and its documentation are made.
package components

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/warpstreamlabs/bento/public/bloblang"

	"tkit/ingest/classify"
	"tkit/ingest/ledger"
	"tkit/registry"
)

// A Run is what the components of one running pipeline share.
type Run struct {
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
	Fail     func(error)
	Classify ClassifyFunc // in this process

	mu     sync.Mutex
	ledger *ledger.Ledger
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

// Close closes what the components have opened.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ledger == nil {
		return nil
	}
	return r.ledger.Close()
}

// Path resolves a path of the pipeline's file.
func (r *Run) Path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.Folder, p)
}
