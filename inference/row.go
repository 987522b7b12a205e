package inference

import (
	"context"
	"time"
)

// Row is one image on its way to a trunk.
type Row struct {
	// Key identifies the values: rows with the same key that are in the batcher at
	// the same time share one fill and one pass, even across requests. A row with
	// the key "" is not shared.
	Key string
	// Shape is height, width and channels.
	Shape [3]int
	// Fill writes the values, height-major, to dst, for instance by decoding an
	// image. The length of dst matches the shape; its contents are undefined. Fill
	// runs in a goroutine of the batcher. Its context ends when no request waits for
	// the row any more.
	Fill func(ctx context.Context, dst []float32) error
}

// Outcome is the result of a row.
type Outcome struct {
	Bottleneck []float32     // shared between requests: read only
	Shape      []int64       // the bottleneck's, without the batch dimension
	Fill       time.Duration // waiting for a decoder, and decoding
	Queue      time.Duration // waiting for the trunk
	Pass       time.Duration // the trunk's pass of the whole batch
	Batch      int           // rows in that batch
}

// Pass sends a batch of rows of one shape through a trunk. It has no context,
// because the requests of a batch have different deadlines; a request whose
// deadline passes does not wait for the pass. It must not keep the rows.
type Pass func(shape [3]int, rows [][]float32) (Bottlenecks, error)

// Limits bound a batcher.
type Limits struct {
	MaxBatch int // rows in a batch
	MaxQueue int // rows being filled or waiting for the trunk
}

// DefaultLimits are those of a server of one machine.
var DefaultLimits = Limits{MaxBatch: 8, MaxQueue: 256}

// An entry is one row in the batcher with its waiters. The batcher's mutex
// guards it until it is finished; it does not change after that.
type entry struct {
	row      Row
	fill     context.Context // ends when the last waiter leaves
	abandon  context.CancelFunc
	waiters  []waiter
	deadline time.Time // the latest of the waiters'; zero: one has none
	stage    stage
	data     *[]float32
	queued   time.Time
	outcome  Outcome
	err      error
}

// A waiter receives the index of a row of its request when the row is finished.
// Its channel has a buffer for all of them.
type waiter struct {
	finished chan<- int
	index    int
}

// A stage is the progress of a row in the batcher.
type stage int

const (
	filling stage = iota
	queued
	running
	finished
)

// later returns the later of two deadlines; zero means none.
func later(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	if a.After(b) {
		return a
	}
	return b
}
