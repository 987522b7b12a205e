package savedmodel

import (
	"context"
	"fmt"
)

const (
	// maxNodes bounds the nodes of a graph, including those of the functions it
	// calls. The largest image networks have some ten thousand.
	maxNodes = 1 << 19
	// maxParts bounds what inlined functions add to a graph: nodes, inputs,
	// outputs, attributes and long names.
	maxParts = 1 << 21
	// maxSteps bounds the edges followed while reading one model. Each edge is
	// followed about ten times.
	maxSteps = 1 << 24
)

// A budget bounds the work of reading one model and stops it when the context
// ends. Nil means unlimited.
type budget struct {
	ctx   context.Context
	steps int // remaining
	parts int
	ask   int // the remaining steps at which the context is checked next
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
		return fmt.Errorf("%w: reading its graph takes more than %d steps", ErrUnsupported, maxSteps)
	}
	if b.steps > b.ask {
		return nil
	}
	b.ask = b.steps - 1<<12
	return b.ctx.Err()
}

// add counts parts added to a graph.
func (b *budget) add(parts int) error {
	if b.parts -= parts; b.parts < 0 {
		return fmt.Errorf("%w: its functions, when inlined, have more than %d nodes, inputs and outputs", ErrUnsupported, maxParts)
	}
	return b.spend(parts)
}
