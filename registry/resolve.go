package registry

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"tkit/internal/spelling"
	"tkit/registry/metadata"
)

// Resolve returns the manifest of the version that ref refers to now; the default
// version is the one with the alias production. It reads no blob, and takes some tens
// of microseconds for a version that was resolved before, so that it can be called
// for every request.
func (r *Registry) Resolve(ctx context.Context, ref Ref) (*Manifest, error) {
	if ref.Version == 0 && ref.Alias == "" {
		ref.Alias = Production
	}
	v, err := r.find(ctx, ref)
	switch {
	case err != nil:
		return nil, err
	case v.Deleted:
		return nil, r.deleted(ctx, v)
	}
	return r.manifestOf(ctx, v)
}

// Registered returns the manifest with which a version was registered. Unlike Resolve,
// it also returns that of a version that was deleted since: what restricts the versions
// built on it depends on it.
func (r *Registry) Registered(ctx context.Context, ref Ref) (*Manifest, error) {
	v, err := r.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.manifestOf(ctx, v)
}

// find returns the version that a reference with a number or an alias refers to.
func (r *Registry) find(ctx context.Context, ref Ref) (metadata.Version, error) {
	v, found, err := r.metadata.Find(ctx, ref.Model, ref.Version, ref.Alias)
	switch {
	case err != nil:
		return v, fmt.Errorf("registry: resolving %s: %w", ref, err)
	case !found:
		return v, r.notFound(ctx, ref)
	}
	return v, nil
}

// manifestOf returns the manifest of a version that was found.
func (r *Registry) manifestOf(ctx context.Context, v metadata.Version) (m *Manifest, err error) {
	if m := r.cache.get(v); m != nil {
		return m, nil
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) (err error) {
		m, err = r.manifest(rows, v)
		return err
	})
	return m, err
}

// manifest returns a version's manifest, which is cached: versions are
// immutable.
func (r *Registry) manifest(rows metadata.Reader, v metadata.Version) (*Manifest, error) {
	if m := r.cache.get(v); m != nil {
		return m, nil
	}
	m, err := readManifest(rows, v)
	if err != nil {
		return nil, err
	}
	r.cache.put(m, v.Digest)
	return m, nil
}

// readManifest reads a version's manifest and checks it against the digest
// that was stored when it was registered.
func readManifest(rows metadata.Reader, v metadata.Version) (*Manifest, error) {
	ref := Ref{Model: v.Model, Version: v.Number}
	text, err := rows.Manifest(v.Model, v.Number)
	if err != nil {
		return nil, fmt.Errorf("registry: reading %s: %w", ref, err)
	}
	if digestOf(text) != v.Digest {
		return nil, fmt.Errorf("registry: %s: %w; restore the registry from a backup", ref, ErrCorrupt)
	}
	m, err := DecodeManifest(text)
	if err != nil {
		return nil, fmt.Errorf("registry: %s: %w", ref, err)
	}
	if m.Ref() != ref {
		return nil, fmt.Errorf("registry: %s: %w: it is the manifest of %s", ref, ErrCorrupt, m.Ref())
	}
	return m, nil
}

// notFound returns the error of a reference to a missing model, with the
// remedy.
func (r *Registry) notFound(ctx context.Context, ref Ref) (err error) {
	failed := r.metadata.View(ctx, func(rows metadata.Reader) error {
		err = notFound(rows, ref)
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// notFound is that error in a transaction. A transaction that began another one could wait
// for ever for a connection, while all others wait for it.
func notFound(rows metadata.Reader, ref Ref) error {
	models, err := list(rows)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range models {
		if m.Name == ref.Model {
			return m.lacks(ref)
		}
		if m.Versions > 0 {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("model %s: %w: %w", ref.Model, ErrNotFound, ErrEmpty)
	}
	if near := spelling.Nearest(ref.Model, names); near != "" {
		return fmt.Errorf("model %s: %w: did you mean %s?", ref.Model, ErrNotFound, near)
	}
	const few = 8
	if len(names) > few {
		names = append(names[:few], "…")
	}
	return fmt.Errorf("model %s: %w; there are %s", ref.Model, ErrNotFound, strings.Join(names, ", "))
}

// lacks returns the error of a reference to a version or alias that a model does not
// have.
func (m Model) lacks(ref Ref) error {
	switch {
	case m.Latest == 0:
		return fmt.Errorf("%s: %w: all versions of the model were deleted; its history remains", ref, ErrNotFound)
	case ref.Version != 0:
		return fmt.Errorf("%s: %w: the newest version is %d", ref, ErrNotFound, m.Latest)
	}
	var aliases []string
	for _, a := range m.Aliases {
		aliases = append(aliases, a.Name)
	}
	if near := spelling.Nearest(ref.Alias, aliases); near != "" {
		return fmt.Errorf("%s: %w: did you mean %s?", ref, ErrNotFound, Ref{Model: m.Name, Alias: near})
	}
	return &AliasError{ref, m.Latest}
}

// An AliasError is the error of an alias that no version has. It wraps ErrNotFound.
type AliasError struct {
	Ref    Ref // with the alias
	Latest int // the model's newest version
}

func (e *AliasError) Error() string {
	return fmt.Sprintf("%s: %v: no version has the alias %s: promote one, or name a version, such as %s",
		e.Ref, ErrNotFound, e.Ref.Alias, Ref{Model: e.Ref.Model, Version: e.Latest})
}

func (e *AliasError) Unwrap() error { return ErrNotFound }

// manifests is a cache of manifests by their digests.
type manifests struct {
	mu       sync.Mutex
	byDigest map[Digest]*Manifest
}

// cached is the maximum size of the cache, more than the number of versions
// loaded by a server.
const cached = 512

func (c *manifests) get(v metadata.Version) *Manifest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.byDigest[v.Digest]; m != nil && m.Model == v.Model && m.Version == v.Number {
		return m
	}
	return nil
}

func (c *manifests) put(m *Manifest, digest Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byDigest == nil || len(c.byDigest) >= cached {
		c.byDigest = make(map[Digest]*Manifest)
	}
	c.byDigest[digest] = m
}
