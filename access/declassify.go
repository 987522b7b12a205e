package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxDeclassification bounds how long a declassification may last.
const maxDeclassification = 5 * 366 * 24 * time.Hour

// Declassify lifts the restriction of a version by one of its datasets, for one right. Only the dataset's owner may do this; the right to grant does not suffice.
func (a *Authority) Declassify(ctx context.Context, who Caller, e Declassification, lineage []Origin) (Declassification, error) {
	e.By, e.At = who.Principal, now()
	err := e.check()
	if err != nil {
		return e, err
	}
	if e.Expires, err = expiry(e.Expires, e.At); err != nil || e.Expires.Sub(e.At) > maxDeclassification {
		return e, errors.Join(fmt.Errorf("%w: a declassification needs an expiry, in five years at most", ErrInvalid), err)
	}
	q := Request{Action: "declassify " + string(e.Right), Right: Administer, Object: e.Dataset, Lineage: lineage}
	err = a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		if err := p.governed(e.Dataset); err != nil {
			return Decision{}, err
		}
		if !slices.Contains(p.Restrictions(lineage), e.Dataset) {
			return Decision{}, fmt.Errorf("%w: %s is not among the data of %s", ErrInvalid, e.Dataset, e.Version)
		}
		return p.owns(who, e.Dataset), nil
	}, edit{func(w Writer) (err error) {
		e.ID, err = w.AddDeclassification(e)
		return err
	}, func(p *Policy) bool {
		kept, err := p.declassificationBy(e.ID)
		return err == nil && kept == e
	}})
	return e, err
}

// Reclassify revokes a declassification. The dataset's owner may do this, and a
// caller with the right to grant on it.
func (a *Authority) Reclassify(ctx context.Context, who Caller, id int64) error {
	p, err := a.Policy(ctx)
	if err != nil {
		return err
	}
	e, err := p.declassificationBy(id)
	if err != nil {
		return err
	}
	q := Request{Action: "reclassify", Right: Administer, Object: e.Dataset, Data: []string{fmt.Sprintf("declassification %d of %s", id, e.Version)}}
	return a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		if _, err := p.declassificationBy(id); err != nil {
			return Decision{}, err
		}
		return p.Decide(who, Administer, e.Dataset, time.Now()), nil
	}, edit{func(w Writer) error { return w.RevokeDeclassification(id, who.Principal, now()) }, func(p *Policy) bool {
		_, err := p.declassificationBy(id)
		return err != nil
	}})
}

// declassificationBy returns the declassification with a number.
func (p *Policy) declassificationBy(id int64) (Declassification, error) {
	for _, all := range p.declassifications {
		for _, e := range all {
			if e.ID == id {
				return e, nil
			}
		}
	}
	return Declassification{}, fmt.Errorf("%w: declassification %d", ErrNotFound, id)
}

// Declassifications returns those of a version, the oldest first, also those that
// have expired.
func (p *Policy) Declassifications(version string) []Declassification {
	found := []Declassification{}
	for key, all := range p.declassifications {
		if key.version == version {
			found = append(found, all...)
		}
	}
	slices.SortFunc(found, func(a, b Declassification) int { return cmp.Compare(a.ID, b.ID) })
	return found
}
