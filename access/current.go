package access

import (
	"context"
	"fmt"
)

// Policy returns the policy in force. Where nothing has changed since the last call, it
// reads one number.
func (a *Authority) Policy(ctx context.Context) (*Policy, error) {
	generation, err := a.store.Generation(ctx)
	if err != nil {
		return nil, fmt.Errorf("access: reading the policy: %w", err)
	}
	if p := a.current.Load(); p != nil {
		if p.generation == generation {
			return p, nil
		}
		if p.generation > generation {
			return nil, fmt.Errorf("access: the database went back from state %d of the policy to %d: an older one was written over it; start again", p.generation, generation)
		}
	}
	p, err := readPolicy(func() (Rules, error) { return a.store.Rules(ctx) })
	if err != nil {
		return nil, err
	}
	a.current.Store(p)
	return p, nil
}

// readPolicy is the policy of what read returns.
func readPolicy(read func() (Rules, error)) (*Policy, error) {
	rules, err := read()
	if err != nil {
		return nil, fmt.Errorf("access: reading the policy: %w", err)
	}
	return NewPolicy(rules), nil
}
