package inference

import (
	"context"
	"errors"
	"sync"
)

// A pool holds what several servables use: each value is made once, counted,
// and closed when the last of its users lets go.
type pool[K comparable, V interface{ Close() error }] struct {
	mu    sync.Mutex
	items map[K]*pooled[V]
}

type pooled[V any] struct {
	users int
	made  chan struct{} // closed when value or err is there
	value V
	err   error
}

// get returns the value of a key, making it if nobody has it, and the function
// by which its user lets go. Of callers that come together one makes, and a
// failure is the failure of all.
func (p *pool[K, V]) get(ctx context.Context, key K, build func(context.Context) (V, error)) (V, func() error, error) {
	p.mu.Lock()
	item, ok := p.items[key]
	if !ok {
		item = &pooled[V]{made: make(chan struct{})}
		if p.items == nil {
			p.items = map[K]*pooled[V]{}
		}
		p.items[key] = item
	}
	item.users++
	p.mu.Unlock()

	if !ok {
		item.value, item.err = build(ctx)
		if item.err != nil {
			p.forget(key, item)
		}
		close(item.made)
	}
	var none V
	select {
	case <-item.made:
	case <-ctx.Done():
		// The maker still holds the item, so this is not its last user unless
		// it has been made by now.
		return none, nil, errors.Join(ctx.Err(), p.release(key, item))
	}
	if item.err != nil {
		return none, nil, errors.Join(item.err, p.release(key, item))
	}
	return item.value, sync.OnceValue(func() error { return p.release(key, item) }), nil
}

// release takes a user off an item; the last one closes it.
func (p *pool[K, V]) release(key K, item *pooled[V]) error {
	p.mu.Lock()
	item.users--
	last := item.users == 0
	if last && p.items[key] == item {
		delete(p.items, key)
	}
	p.mu.Unlock()
	if !last || item.err != nil {
		return nil
	}
	return item.value.Close()
}

// forget lets the next get of the key make the value anew.
func (p *pool[K, V]) forget(key K, item *pooled[V]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.items[key] == item {
		delete(p.items, key)
	}
}
