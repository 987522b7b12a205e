package inference

import (
	"context"
	"errors"
	"sync"
)

// A pool holds values that several servables share. Each value is made once,
// its users are counted, and it is closed when the last user releases it.
type pool[K comparable, V interface{ Close() error }] struct {
	mu    sync.Mutex
	items map[K]*pooled[V]
}

type pooled[V any] struct {
	users int
	made  chan struct{} // closed when value or err is set
	value V
	err   error
}

// get returns the value of a key, made if there is none, and the function that
// releases it. If several callers get a new key at once, one of them makes the
// value, and if that fails, it fails for all.
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
		// The maker holds the item until the value is made, so this user is the
		// last one only after that.
		return none, nil, errors.Join(ctx.Err(), p.release(key, item))
	}
	if item.err != nil {
		return none, nil, errors.Join(item.err, p.release(key, item))
	}
	return item.value, sync.OnceValue(func() error { return p.release(key, item) }), nil
}

// release removes a user from an item; the last one closes the value.
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

// forget removes an item, so that the next get of the key makes a new value.
func (p *pool[K, V]) forget(key K, item *pooled[V]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.items[key] == item {
		delete(p.items, key)
	}
}
