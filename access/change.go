package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNotFound is the error of a dataset, grant, declassification or token that does
// not exist.
var ErrNotFound = errors.New("not found")

// Why an object is not the one that was asked for. An [ObjectError] names it.
var (
	ErrUnprotected  = errors.New("has no policy of its own: protect it first")
	ErrNoDatasets   = errors.New("no dataset is registered")
	ErrUnregistered = errors.New("is not registered")
	ErrRegistered   = errors.New("is registered already")
)

// An ObjectError is an error about an object, so that a front end can name the
// operation on the object that helps.
type ObjectError struct {
	Object Object
	Err    error
}

func (e *ObjectError) Error() string { return e.Err.Error() }

func (e *ObjectError) Unwrap() error { return e.Err }

// A rule decides by the policy alone whether a caller, whose groups are resolved, may
// make a change.
type rule func(p *Policy, who Caller) (Decision, error)

// An edit is a change of the rows. Stored reports whether the policy that is read
// back has the change.
type edit struct {
	do     func(Writer) error
	stored func(*Policy) bool
}

// change decides a change of the policy, records the decision, and makes the change
// in a transaction in which it is still allowed. The transaction is rolled back if
// the change cannot be read back as intended.
func (a *Authority) change(ctx context.Context, who Caller, q Request, may rule, e edit) error {
	p, err := a.Policy(ctx)
	if err != nil {
		return err
	}
	who = a.ResolveIn(ctx, who, p.Clusters(p.objects(q)))
	d, err := may(p, who)
	if err = errors.Join(err, d.Unknown); err != nil {
		return err
	}
	if err := a.record(ctx, p, who, q, d); err != nil {
		return err
	}
	if err := p.refusal(who, q, d); err != nil {
		return err
	}
	return a.store.Update(ctx, func(w Writer) error {
		p, err := readPolicy(w.Rules)
		if err != nil {
			return err
		}
		d, err := may(p, who)
		if err = errors.Join(err, d.Unknown); err != nil {
			return err
		}
		if err := p.refusal(who, q, d); err != nil {
			return err
		}
		if err := e.do(w); err != nil {
			return fmt.Errorf("access: %w", err)
		}
		after, err := readPolicy(w.Rules)
		if err != nil {
			return err
		}
		if !e.stored(after) || len(after.unreadable) > len(p.unreadable) {
			return fmt.Errorf("%w: the change cannot be read back; nothing was changed", ErrInvalid)
		}
		return nil
	})
}

// administers is the rule for operations of administrators.
func (a *Authority) administers(p *Policy, who Caller, on Object) Decision {
	d := Decision{Object: on, Generation: p.generation, Allowed: slices.ContainsFunc(a.administrators, who.is)}
	d.Reason = fmt.Sprintf("%s does not administer this home", who.Principal)
	if d.Allowed {
		d.Reason = fmt.Sprintf("%s administers this home", who.Principal)
	}
	return d
}

// governed returns an [ObjectError] for an object that nobody registered.
func (p *Policy) governed(o Object) error {
	if _, ok := p.owners[o]; ok {
		return nil
	}
	var err error
	switch {
	case o.Kind() == ModelKind:
		err = fmt.Errorf("%w: model %s %w", ErrNotFound, o.Name(), ErrUnprotected)
	case len(p.datasets) == 0:
		err = fmt.Errorf("%w: dataset %s: %w", ErrNotFound, o.Name(), ErrNoDatasets)
	default: // not everybody may know which datasets exist
		err = fmt.Errorf("%w: dataset %s %w", ErrNotFound, o.Name(), ErrUnregistered)
	}
	return &ObjectError{o, err}
}

// RegisterDataset gives the data at a place a name and an owner. Only an
// administrator may: from then on only the owner has rights on it.
func (a *Authority) RegisterDataset(ctx context.Context, who Caller, name, uri string, owner Principal) (Registered, error) {
	if err := CheckName(name); err != nil {
		return Registered{}, err
	}
	if _, err := ParsePrincipal(string(owner)); err != nil {
		return Registered{}, err
	}
	canonical, _, err := Locate(uri)
	if err != nil {
		return Registered{}, err
	}
	made := Registered{Name: name, URI: canonical, Owner: owner, By: who.Principal, Created: now()}
	err = a.change(ctx, who, Request{Action: "register-dataset", Object: Dataset(name), Data: []string{canonical}}, func(p *Policy, who Caller) (Decision, error) {
		if _, taken := p.owners[Dataset(name)]; taken {
			return Decision{}, &ObjectError{Dataset(name), fmt.Errorf("%w: dataset %s %w", ErrInvalid, name, ErrRegistered)}
		}
		return a.administers(p, who, Dataset(name)), nil
	}, edit{func(w Writer) error { return w.AddObject(Dataset(name), made) }, func(p *Policy) bool {
		kept, err := p.Registered(name)
		kept.place = Place{}
		return err == nil && kept == made
	}})
	return made, err
}

// ProtectModel gives a model its own policy, in addition to those of its data. From
// then on only its owner has rights on it, and principals to whom they are granted.
// An administrator may do this, and a caller who may promote all its versions.
func (a *Authority) ProtectModel(ctx context.Context, who Caller, model string, owner Principal, versions [][]Origin) error {
	if _, err := ParsePrincipal(string(owner)); err != nil {
		return err
	}
	o := Model(model)
	made := Registered{Owner: owner, By: who.Principal, Created: now()}
	q := Request{Action: "protect", Right: Promote, Object: o}
	for _, lineage := range versions {
		q.Behind = append(q.Behind, lineage...)
	}
	return a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		if owner, taken := p.owners[o]; taken {
			return Decision{}, fmt.Errorf("%w: model %s is protected already; %s owns it", ErrInvalid, model, owner)
		}
		d := a.administers(p, who, o)
		if d.Allowed {
			return d, nil
		}
		for _, lineage := range versions {
			if d = p.DecideVersion(who, Promote, lineage, time.Now()); !d.Allowed {
				break
			}
			d.Object = o
		}
		return d, nil
	}, edit{func(w Writer) error { return w.AddObject(o, made) }, func(p *Policy) bool { return p.owners[o] == owner }})
}

// SetOwner gives an object another owner. The owner and administrators may do
// this.
func (a *Authority) SetOwner(ctx context.Context, who Caller, o Object, to Principal) error {
	if _, err := ParsePrincipal(string(to)); err != nil {
		return err
	}
	return a.change(ctx, who, Request{Action: "transfer", Right: Administer, Object: o}, func(p *Policy, who Caller) (Decision, error) {
		if d := a.administers(p, who, o); d.Allowed {
			return d, p.governed(o)
		}
		return p.owns(who, o), p.governed(o)
	}, edit{func(w Writer) error { return w.SetOwner(o, to) }, func(p *Policy) bool { return p.owners[o] == to }})
}

// owns is the rule for operations of an object's owner.
func (p *Policy) owns(who Caller, o Object) Decision {
	d := Decision{Object: o, Generation: p.generation}
	owner, governed := p.owners[o]
	groups, _, err := p.groupsOn(who, o)
	if err != nil {
		return d.unknown(who, err)
	}
	d.Allowed = governed && (who.Principal == owner || slices.Contains(groups, owner))
	d.Reason = fmt.Sprintf("only the owner of %s may", o)
	if d.Allowed {
		d.Reason = fmt.Sprintf("%s owns %s", owner, o)
	}
	return d
}

// mayGrant decides whether a caller may grant and revoke a right on an object. It
// takes the right to grant; only the owner grants that right itself.
func (p *Policy) mayGrant(who Caller, o Object, r Right) (Decision, error) {
	if err := p.governed(o); err != nil {
		return Decision{}, err
	}
	if r == Administer {
		return p.owns(who, o), nil
	}
	return p.Decide(who, Administer, o, time.Now()), nil
}

// AddGrant adds a grant, which allows or denies.
func (a *Authority) AddGrant(ctx context.Context, who Caller, g Grant) (Grant, error) {
	g.By, g.At = who.Principal, now()
	if err := g.check(); err != nil {
		return g, err
	}
	expires, err := expiry(g.Expires, g.At)
	if err != nil {
		return g, err
	}
	g.Expires = expires
	q := Request{Action: string(g.Effect), Right: Administer, Object: g.Object, Data: []string{string(g.Principal), string(g.Right)}}
	err = a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) { return p.mayGrant(who, g.Object, g.Right) },
		edit{func(w Writer) (err error) {
			g.ID, err = w.AddGrant(g)
			return err
		}, func(p *Policy) bool { return slices.Contains(p.byObject[g.Object], g) }})
	return g, err
}

// RevokeGrant revokes a grant by its number.
func (a *Authority) RevokeGrant(ctx context.Context, who Caller, o Object, id int64) error {
	q := Request{Action: "revoke", Right: Administer, Object: o, Data: []string{fmt.Sprintf("grant %d", id)}}
	return a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		if err := p.governed(o); err != nil {
			return Decision{}, err
		}
		for _, g := range p.byObject[o] {
			if g.ID == id {
				return p.mayGrant(who, o, g.Right)
			}
		}
		return Decision{}, fmt.Errorf("%w: %s has no grant %d", ErrNotFound, o, id)
	}, edit{func(w Writer) error { return w.RevokeGrant(id, who.Principal, now()) }, func(p *Policy) bool {
		return !slices.ContainsFunc(p.byObject[o], func(g Grant) bool { return g.ID == id })
	}})
}
