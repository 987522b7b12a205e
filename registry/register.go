package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// Content provides a part's bytes: it puts them into a store and returns the blob.
type Content func(ctx context.Context, s blobs.Store) (blobs.Blob, error)

// FromReader returns the rest of r as content.
func FromReader(r io.Reader) Content {
	return func(ctx context.Context, s blobs.Store) (blobs.Blob, error) { return s.Put(ctx, r) }
}

// FromEncoder returns the encoding of a value, such as a network, as content.
func FromEncoder(e interface{ Encode(io.Writer) error }) Content {
	return func(ctx context.Context, s blobs.Store) (blobs.Blob, error) {
		r, w := io.Pipe()
		var encoding sync.WaitGroup
		encoding.Go(func() { w.CloseWithError(e.Encode(w)) })
		defer encoding.Wait() // the caller may close e afterwards
		defer r.Close()       // ends Encode if Put failed
		return s.Put(ctx, r)
	}
}

// Stored returns content that is already in the registry, such as the trunk of
// another version.
func Stored(d Digest) Content {
	return func(ctx context.Context, s blobs.Store) (blobs.Blob, error) {
		if err := s.Verify(ctx, d); err != nil {
			return blobs.Blob{}, err
		}
		return s.Stat(ctx, d)
	}
}

// A Registration is a version to register.
type Registration struct {
	// Manifest is the version's manifest, except for the fields that Register
	// sets: Format, Version, Created, Trunk, Head and Attachments.
	Manifest    Manifest
	Trunk, Head Content
	// Attachments become the manifest's attachments, under the same names.
	Attachments map[string]Content
	By          Change
	// Permitted, if set, decides whether the version may be registered and returns
	// the generation of the access policy used. The version is stored in a
	// transaction in which that generation is still in force; if the policy has
	// changed, Permitted is called again. An error ends the registration.
	Permitted func(ctx context.Context) (generation int64, err error)
}

// Register registers the next version of a model, and the model with its first version.
// It moves no alias; see Promote. When Register returns, the version is complete and
// durable. If it fails or the process is killed, no version exists, and Collect removes
// what is left in the blob store.
func (r *Registry) Register(ctx context.Context, n Registration) (Version, error) {
	m := n.Manifest
	if err := CheckModelName(m.Model); err != nil {
		return Version{}, err
	}
	if err := checkChange(n.By); err != nil {
		return Version{}, err
	}
	release, err := r.blobs.Hold(ctx)
	if err != nil {
		return Version{}, fmt.Errorf("registering %s: %w", m.Model, err)
	}
	defer release()
	if err := r.putParts(ctx, &m, n); err != nil {
		return Version{}, fmt.Errorf("registering %s: %w", m.Model, err)
	}
	v, err := r.insertPermitted(ctx, m, n)
	if err != nil {
		return Version{}, fmt.Errorf("registering %s: %w", m.Model, err)
	}
	return v, nil
}

// errPolicyChanged means that the policy is no longer the one that permitted a
// registration.
var errPolicyChanged = errors.New("the access policy has changed")

// insertPermitted stores a version in a transaction in which it is permitted.
func (r *Registry) insertPermitted(ctx context.Context, m Manifest, n Registration) (v Version, err error) {
	for {
		var generation int64
		if n.Permitted != nil {
			if generation, err = n.Permitted(ctx); err != nil {
				return Version{}, err
			}
		}
		err = r.metadata.Update(ctx, func(w metadata.Writer) error {
			if n.Permitted != nil {
				if now, err := w.PolicyGeneration(); err != nil || now != generation {
					return cmp.Or(err, errPolicyChanged)
				}
			}
			number, err := once(w, n.By.Key, asked(m), func() (int, error) { return insert(w, m, n.By) })
			if err != nil {
				return err
			}
			v, err = r.registered(w, m.Model, number)
			return err
		})
		if !errors.Is(err, errPolicyChanged) {
			return v, err
		}
	}
}

// putParts stores the blobs and adds them to the manifest.
func (r *Registry) putParts(ctx context.Context, m *Manifest, n Registration) error {
	put := func(name string, c Content) (Part, error) {
		if c == nil {
			return Part{}, fmt.Errorf("%w: no %s", ErrInvalid, name)
		}
		b, err := c(ctx, r.blobs)
		if err != nil {
			return Part{}, fmt.Errorf("%s: %w", name, err)
		}
		return Part{Digest: b.Digest, Size: b.Size}, nil
	}
	var err error
	if m.Trunk, err = put("trunk", n.Trunk); err != nil {
		return err
	}
	if m.Head, err = put("head", n.Head); err != nil {
		return err
	}
	m.Attachments = nil
	if len(n.Attachments) > 0 {
		m.Attachments = make(map[string]Part, len(n.Attachments))
	}
	for name, c := range n.Attachments {
		if m.Attachments[name], err = put("attachment "+name, c); err != nil {
			return err
		}
	}
	return nil
}

// asked is what a registration asks for: a version with these parts. Its time and its
// number are not part of it.
func asked(m Manifest) any {
	return struct {
		Action      Action
		Model       string
		Trunk, Head Digest
	}{Registered, m.Model, m.Trunk.Digest, m.Head.Digest}
}

// registered returns a version in the transaction that registered it, or that found it to
// be registered.
func (r *Registry) registered(rows metadata.Reader, model string, number int) (Version, error) {
	v, found, err := rows.Version(model, number)
	if err != nil {
		return Version{}, err
	}
	if !found {
		return Version{}, fmt.Errorf("%w: version %d is missing", ErrCorrupt, number)
	}
	m, err := readManifest(rows, v) // not into the cache: the transaction may still fail
	return Version{Manifest: m, Digest: v.Digest}, err
}

// insert gives the manifest its number, writes the version's rows and returns the number.
func insert(w metadata.Writer, m Manifest, by Change) (int, error) {
	m.Format, m.Created = manifestFormat, now()
	latest, err := w.Latest(m.Model)
	if err != nil {
		return 0, err
	}
	m.Version = latest + 1
	text, err := m.Encode()
	if err != nil {
		return 0, err
	}
	// Check that what is stored can be read again.
	if _, err := DecodeManifest(text); err != nil {
		return 0, err
	}
	digest := digestOf(text)
	added := metadata.NewVersion{
		Version: metadata.Version{Model: m.Model, Number: m.Version, Digest: digest},
		Created: m.Created, Manifest: text, Parts: make(map[string]Digest),
	}
	for name, p := range m.parts() {
		added.Parts[name] = p.Digest
	}
	if err := w.AddVersion(added); err != nil {
		return 0, err
	}
	_, err = record(w, Event{Action: Registered, Model: m.Model, Version: m.Version, Change: by, Digest: digest})
	return m.Version, err
}
