package classify

import (
	"context"
	"time"

	"tkit/access"
	"tkit/registry"
)

// restrictionsAge is how long what restricts a version is used before it is read
// again.
const restrictionsAge = 5 * time.Second

type restriction struct {
	by   []access.Object
	read time.Time
}

// restrictions returns what restricts a version. It is never nil.
func (e *Engine) restrictions(ctx context.Context, version registry.Ref) ([]access.Object, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name := version.String()
	if r, ok := e.restricted[name]; ok && time.Since(r.read) < restrictionsAge {
		return r.by, nil
	}
	a, err := e.options.Catalog.VersionAccess(ctx, e.options.Caller, version)
	if err != nil {
		return nil, err
	}
	by := append([]access.Object{}, a.RestrictedBy...)
	e.restricted[name] = restriction{by, time.Now()}
	return by, nil
}
