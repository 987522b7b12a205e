package savedmodel

import (
	"context"
	"fmt"
)

const (
	// maxNodes bounds the nodes of a graph, with those of the functions that it
	// calls. The largest networks for images have some ten thousand.
	maxNodes = 1 << 19
	// maxParts bounds what inlined functions add to a graph: nodes, with their
	// inputs, outputs, attributes and long names.
	maxParts = 1 << 21
	// maxSteps bounds the edges that are followed in reading one model. Each is
	// followed about ten times.
	maxSteps = 1 << 24
)

// A budget bounds the work that one reading takes, whatever the model says, and
// lets it end when its caller gives up. Nil is no bound.
type budget struct {
	ctx   context.Context
	steps int // that are left
	parts int
	ask   int // the steps left at which the context is asked next
}

func newBudget(ctx context.Context) *budget {
	return &budget{ctx: ctx, steps: maxSteps, parts: maxParts, ask: maxSteps}
}

// spend counts steps.
func (b *budget) spend(steps int) error {
	if b == nil {
		return nil
	}
	if b.steps -= steps; b.steps < 0 {
		return fmt.Errorf("%w: reading its graph takes too many steps: over %d", ErrUnsupported, maxSteps)
	}
	if b.steps > b.ask {
		return nil
	}
	b.ask = b.steps - 1<<12
	return b.ctx.Err()
}

// add counts parts that are added to a graph.
func (b *budget) add(parts int) error {
	if b.parts -= parts; b.parts < 0 {
		return fmt.Errorf("%w: its functions, put in the places that call them, have over %d nodes, inputs and outputs", ErrUnsupported, maxParts)
	}
	return b.spend(parts)
}
