package inference

import (
	"context"
	"time"
)

// Row is one image on its way to a trunk.
type Row struct {
	// Key says what the tensor is: rows with the same key hold the same values,
	// so those that meet in the batcher share one fill and one pass, whoever
	// asked for them. "" shares nothing.
	Key string
	// Shape is height, width and channels.
	Shape [3]int
	// Fill puts the tensor's values, height-major, into dst, for instance by
	// decoding an image; dst has room for the shape and holds anything. It runs
	// on a goroutine of the batcher; its context ends when nobody waits for the
	// row any longer.
	Fill func(ctx context.Context, dst []float32) error
}

// Outcome is what became of a row.
type Outcome struct {
	Bottleneck []float32     // shared between requests: read only
	Shape      []int64       // the bottleneck's, without the batch dimension
	Fill       time.Duration // waiting for a decoder, and decoding
	Queue      time.Duration // waiting for the trunk
	Pass       time.Duration // the trunk's pass of the whole batch
	Batch      int           // rows in that batch
}

// Pass sends a batch of rows of one shape through a trunk. It has no context:
// it serves requests with different deadlines, and who does not want to wait
// for its end leaves by himself. The rows are the batcher's again when it
// returns.
type Pass func(shape [3]int, rows [][]float32) (Bottlenecks, error)

// Limits bound a batcher.
type Limits struct {
	MaxBatch int // rows in a batch
	MaxQueue int // rows being filled or waiting for the trunk
}

// DefaultLimits are those of a server of one machine.
var DefaultLimits = Limits{MaxBatch: 8, MaxQueue: 256}

// An entry is one row in the batcher and all who wait for it. The batcher's
// mutex guards it until it is finished; nothing changes after that.
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

// A waiter is told when an entry is finished: which of its rows that was. Its
// channel has room for all of them.
type waiter struct {
	finished chan<- int
	index    int
}

// A stage is where a row stands in the batcher.
type stage int

const (
	filling stage = iota
	queued
	running
	finished
)

// later is the later of two deadlines, of which zero is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	if a.After(b) {
		return a
	}
	return b
}
