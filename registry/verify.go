package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tkit/registry/metadata"
)

// A Problem is a problem found by Verify.
type Problem struct {
	// Subject is the affected object: "flowers@7", "flowers@production", a
	// blob's digest or "database".
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
}

// Verify reads everything that is stored, every byte of every blob, and returns all
// differences from what was registered. An error means that it could not read, not that
// it found a problem.
func (r *Registry) Verify(ctx context.Context) ([]Problem, error) {
	v := newVerification()
	damage, err := r.metadata.Check(ctx)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	for _, d := range damage {
		v.found("database", d)
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) error { return v.checkTables(ctx, rows) })
	if err != nil {
		return v.problems, fmt.Errorf("registry: %w", err)
	}
	if err := v.checkBlobs(ctx, r); err != nil {
		return v.problems, fmt.Errorf("registry: %w", err)
	}
	slices.SortStableFunc(v.problems, func(a, b Problem) int { return strings.Compare(a.Subject, b.Subject) })
	return v.problems, nil
}

// verification collects problems, and the blobs that must exist.
type verification struct {
	problems []Problem
	parts    map[Digest][]string // the parts that refer to this blob
	sizes    map[Digest]int64
}

func newVerification() verification {
	return verification{problems: []Problem{}, parts: make(map[Digest][]string), sizes: make(map[Digest]int64)}
}

func (v *verification) found(subject, detail string) {
	v.problems = append(v.problems, Problem{subject, detail})
}

// checkTables compares the tables with each other, and collects the blobs that they
// refer to.
func (v *verification) checkTables(ctx context.Context, rows metadata.Reader) error {
	h, err := v.checkHistory(rows)
	if err != nil {
		return err
	}
	if err := v.checkVersions(ctx, rows, h); err != nil {
		return err
	}
	return v.checkBases(rows)
}

// checkBases reads the manifests of the stored bases and collects their networks.
func (v *verification) checkBases(rows metadata.Reader) error {
	stored, err := rows.Bases()
	if err != nil {
		return err
	}
	for _, b := range stored {
		name := "base " + b.Name
		m, err := decodeBase(b)
		if err != nil {
			v.found(name, err.Error())
			continue
		}
		v.parts[m.Network.Digest] = append(v.parts[m.Network.Digest], "network of "+name)
		v.sizes[m.Network.Digest] = m.Network.Size
	}
	return nil
}

// A replay is what the versions are according to the history.
type replay struct {
	registered map[Ref]Digest // of their manifests
	deleted    map[Ref]bool
}

// checkHistory replays the history and compares the result with the aliases.
func (v *verification) checkHistory(rows metadata.Reader) (replay, error) {
	h := replay{make(map[Ref]Digest), make(map[Ref]bool)}
	events, err := rows.Events("", 0)
	if err != nil {
		return h, err
	}
	named, bound := make(map[Ref]int), make(map[[2]string]Choice)
	for i, e := range events {
		if e.ID != int64(i+1) {
			v.found("history", fmt.Sprintf("event %d is in place %d: events are missing", e.ID, i+1))
			break
		}
		alias := Ref{Model: e.Model, Alias: e.Alias}
		switch e.Action {
		case Registered:
			h.registered[Ref{Model: e.Model, Version: e.Version}] = e.Digest
		case Deleted:
			h.deleted[Ref{Model: e.Model, Version: e.Version}] = true
		case AliasRemoved:
			delete(named, alias)
		case Bound:
			bound[[2]string{e.Application, e.Model}] = Choice{e.Alias, e.Version}
		case Unbound:
			delete(bound, [2]string{e.Application, e.Model})
		case Changed: // no alias
		default:
			named[alias] = e.Version
		}
	}
	last, err := rows.LastEvent()
	if err != nil {
		return h, err
	}
	if last > int64(len(events)) {
		v.found("history", fmt.Sprintf("it ends with event %d, but event %d was written: events are missing", len(events), last))
	}
	return h, errors.Join(v.checkAliases(rows, named), v.checkBindings(rows, bound))
}

// checkBindings compares the bindings, by application and model, with the history.
func (v *verification) checkBindings(rows metadata.Reader, bound map[[2]string]Choice) error {
	bindings, err := rows.Bindings("", "")
	if err != nil {
		return err
	}
	for _, b := range bindings {
		key := [2]string{b.Application, b.Model}
		if bound[key] != (Choice{b.Alias, b.Version}) {
			v.found("application "+b.Application, "its binding to "+b.Model+" differs from the history")
		}
		delete(bound, key)
	}
	for key := range bound {
		v.found("application "+key[0], "its binding to "+key[1]+" is missing, although it was bound according to the history")
	}
	return nil
}

// checkAliases compares the aliases with the versions that they name according to the
// history.
func (v *verification) checkAliases(rows metadata.Reader, named map[Ref]int) error {
	aliases, err := rows.Aliases("")
	if err != nil {
		return err
	}
	for _, a := range aliases {
		ref := Ref{Model: a.Model, Alias: a.Name}
		if named[ref] != a.Version {
			v.found(ref.String(), fmt.Sprintf("it names version %d, but version %d according to the history", a.Version, named[ref]))
		}
		delete(named, ref)
	}
	for ref, version := range named {
		v.found(ref.String(), fmt.Sprintf("the alias is missing; according to the history it names version %d", version))
	}
	return nil
}

// checkVersions compares the versions with the history and collects their blobs. Those of
// a deleted version need not exist.
func (v *verification) checkVersions(ctx context.Context, rows metadata.Reader, h replay) error {
	versions, err := rows.Versions("")
	if err != nil {
		return err
	}
	for _, found := range versions {
		ref := Ref{Model: found.Model, Version: found.Number}
		name := ref.String()
		if h.registered[ref] != found.Digest {
			v.found(name, fmt.Sprintf("its manifest has the digest %s, but %s according to the history", found.Digest, h.registered[ref]))
		}
		if h.deleted[ref] != found.Deleted {
			v.found(name, fmt.Sprintf("deleted is %t, but %t according to the history", found.Deleted, h.deleted[ref]))
		}
		delete(h.registered, ref)
		m, err := readManifest(rows, found)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			v.found(name, err.Error())
			continue
		}
		if !found.Deleted {
			v.needs(m)
		}
		if err := v.checkParts(rows, m); err != nil {
			return err
		}
	}
	for ref := range h.registered {
		v.found(ref.String(), "the version is missing, although it was registered according to the history")
	}
	return nil
}

// needs adds the blobs of a version to those that must exist.
func (v *verification) needs(m *Manifest) {
	for part, p := range m.parts() {
		v.parts[p.Digest] = append(v.parts[p.Digest], part+" of "+m.Ref().String())
		v.sizes[p.Digest] = p.Size
	}
}

// checkParts compares a version's rows of parts, which protect its blobs from Collect,
// with its manifest.
func (v *verification) checkParts(rows metadata.Reader, m *Manifest) error {
	stored, err := rows.Parts(m.Model, m.Version)
	if err != nil {
		return err
	}
	want := m.parts()
	for name, digest := range stored {
		if want[name].Digest != digest {
			v.found(m.Ref().String(), fmt.Sprintf("its part %s is recorded as %s", name, digest))
		}
		delete(want, name)
	}
	for name := range want {
		v.found(m.Ref().String(), fmt.Sprintf("its part %s is not recorded", name))
	}
	return nil
}

// checkBlobs reads every blob that a version refers to.
func (v *verification) checkBlobs(ctx context.Context, r *Registry) error {
	digests := make([]Digest, 0, len(v.parts))
	for d := range v.parts {
		digests = append(digests, d)
	}
	slices.Sort(digests)
	for _, d := range digests {
		err := read(ctx, r, d, v.sizes[d])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			slices.Sort(v.parts[d])
			v.found(string(d), fmt.Sprintf("%v; it is the %s", err, strings.Join(v.parts[d], ", ")))
		}
	}
	return nil
}

func read(ctx context.Context, r *Registry, d Digest, size int64) (err error) {
	blob, err := r.blobs.Open(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	n, err := io.Copy(io.Discard, blob)
	if err == nil && n != size {
		err = fmt.Errorf("it has %d bytes, but %d according to the manifest", n, size)
	}
	return err
}
