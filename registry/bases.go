package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tkit/internal/preprocessing"
	"tkit/internal/spelling"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// baseFormat is the format of the manifests of bases that this package writes, and the
// only one that it reads.
const baseFormat = 1

// RandomWarning is what users are told about a base that was never trained.
const RandomWarning = "the weights of the base are random: it was never trained, and a head on it is only good for a trial; use pretrained weights"

// ErrExists is the error of a base whose name another base has.
var ErrExists = errors.New("the name is taken")

// A BaseManifest describes a stored base completely. It is immutable.
type BaseManifest struct {
	// Format, Created and Network are set by AddBase.
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`

	// Network is the whole network in the format of internal/network. Its digest is
	// the base's in the lineage of versions.
	Network   Part      `json:"network"`
	Signature Signature `json:"signature"`
	// Architecture is the architecture of tkit that the weights belong to; "" for a
	// graph that was imported with its weights.
	Architecture string `json:"architecture,omitempty"`
	// Scheme is whose names the file of weights had, such as "torchvision".
	Scheme string `json:"scheme,omitempty"`
	// Random says that the weights are random: the network was never trained.
	Random        bool                        `json:"random,omitempty"`
	Preprocessing preprocessing.Preprocessing `json:"preprocessing"`
	// Labels names the classes in the order of the outputs; empty where unknown.
	Labels []string `json:"labels,omitempty"`
	// Licence and Source say under which terms the weights may be used and where
	// they are from; "" where unknown.
	Licence string `json:"licence,omitempty"`
	Source  string `json:"source,omitempty"`
}

func (m *BaseManifest) validate() error {
	if err := CheckBaseName(m.Name); err != nil {
		return err
	}
	for i, l := range m.Labels {
		if l == "" || strings.ContainsAny(l, "\r\n") {
			return fmt.Errorf("%w: label %d is empty or has a line break", ErrInvalid, i)
		}
	}
	_, err := blobs.ParseDigest(string(m.Network.Digest))
	if err := errors.Join(err, m.Preprocessing.Validate(), m.Signature.check()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// A NewBase is a base to store.
type NewBase struct {
	// Manifest is the base's, except for the fields that AddBase sets.
	Manifest BaseManifest
	Network  Content
}

// AddBase stores a base under its name. A base that exists with the same network and
// description is returned as it is. The error wraps ErrExists where the name is that
// of another one.
func (r *Registry) AddBase(ctx context.Context, n NewBase) (*BaseManifest, error) {
	m := n.Manifest
	release, err := r.blobs.Hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("storing the base %s: %w", m.Name, err)
	}
	defer release()
	b, err := n.Network(ctx, r.blobs)
	if err != nil {
		return nil, fmt.Errorf("storing the base %s: %w", m.Name, err)
	}
	m.Format, m.Created, m.Network = baseFormat, now(), Part(b)
	if err := m.validate(); err != nil {
		return nil, err
	}
	stored := &m
	err = r.metadata.Update(ctx, func(w metadata.Writer) error {
		found, err := findBase(w, m.Name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if found != nil {
			stored = found
			return found.same(m)
		}
		text, err := canonical(m)
		if err != nil {
			return err
		}
		return w.AddBase(metadata.Base{Name: m.Name, Digest: digestOf(text), Manifest: text, Network: m.Network.Digest})
	})
	if err != nil {
		return nil, fmt.Errorf("storing the base %s: %w", m.Name, err)
	}
	return stored, nil
}

// same refuses a base that differs from the stored one of its name.
func (m *BaseManifest) same(other BaseManifest) error {
	other.Created = m.Created
	a, errA := canonical(m)
	b, errB := canonical(other)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	switch {
	case m.Network != other.Network:
		return fmt.Errorf("%w by a base with the network %s; choose another name or remove that base", ErrExists, m.Network.Digest)
	case string(a) != string(b):
		return fmt.Errorf("%w by a base with the same network and another description; choose another name or remove that base", ErrExists)
	}
	return nil
}

// Bases returns the stored bases by name.
func (r *Registry) Bases(ctx context.Context) (all []*BaseManifest, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		all, err = bases(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return all, nil
}

// Base returns the stored base with a name or with a network of a digest. The error
// wraps ErrNotFound where there is none, and ErrInvalid where several have the digest.
func (r *Registry) Base(ctx context.Context, name string) (m *BaseManifest, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		m, err = findBase(rows, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return m, nil
}

// RemoveBase removes a stored base. The versions trained on it have their own parts and
// stay as they are. Collect removes the network where nothing else refers to it.
func (r *Registry) RemoveBase(ctx context.Context, name string) (m *BaseManifest, err error) {
	err = r.metadata.Update(ctx, func(w metadata.Writer) error {
		if m, err = findBase(w, name); err != nil {
			return err
		}
		return w.RemoveBase(m.Name)
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return m, nil
}

func bases(rows metadata.Reader) ([]*BaseManifest, error) {
	found, err := rows.Bases()
	if err != nil {
		return nil, err
	}
	all := make([]*BaseManifest, len(found))
	for i, b := range found {
		if all[i], err = decodeBase(b); err != nil {
			return nil, fmt.Errorf("base %s: %w", b.Name, err)
		}
	}
	return all, nil
}

// decodeBase reads a base's manifest and checks it against the digest that was stored
// with it.
func decodeBase(b metadata.Base) (*BaseManifest, error) {
	if digestOf(b.Manifest) != b.Digest {
		return nil, fmt.Errorf("%w; restore the registry from a backup", ErrCorrupt)
	}
	m := new(BaseManifest)
	if err := decodeCanonical(b.Manifest, baseFormat, m); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	if m.Name != b.Name || m.Network.Digest != b.Network {
		return nil, fmt.Errorf("%w: it says it is %s with the network %s", ErrCorrupt, m.Name, m.Network.Digest)
	}
	return m, nil
}

func findBase(rows metadata.Reader, name string) (*BaseManifest, error) {
	all, err := bases(rows)
	if err != nil {
		return nil, err
	}
	var found []*BaseManifest
	var names []string
	for _, m := range all {
		if m.Name == name || string(m.Network.Digest) == name {
			found = append(found, m)
		}
		names = append(names, m.Name)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%w: several bases have the network %s; give a name", ErrInvalid, name)
	}
	if near := spelling.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("base %s: %w: did you mean %s?", name, ErrNotFound, near)
	}
	return nil, fmt.Errorf("base %s: %w", name, ErrNotFound)
}
