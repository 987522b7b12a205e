package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInUse is the error of a dataset that cannot be removed because it restricts
// versions.
var ErrInUse = errors.New("the restriction would be lost: remove these versions first, or give the dataset another owner")

// RemoveDataset ends the registration of a dataset, with its grants, declassifications and
// snapshots. Its owner and administrators may do this. It is refused with ErrInUse while
// the dataset restricts one of the given versions, by their lineages. The URI, the owner
// and the reason, which may be empty, are recorded.
//
// A version that a run registers at the same time, after the caller has read the lineages,
// names the dataset in its lineage; it is closed to everybody then.
func (a *Authority) RemoveDataset(ctx context.Context, who Caller, name, reason string, versions [][]Origin) error {
	if err := checkText(reason); err != nil {
		return err
	}
	p, err := a.Policy(ctx)
	if err != nil {
		return err
	}
	d, err := p.Registered(name)
	if err != nil {
		return err
	}
	o := Dataset(name)
	q := Request{Action: "remove-dataset", Right: Administer, Object: o, Data: []string{d.URI, "owner " + string(d.Owner)}}
	if reason != "" {
		q.Data = append(q.Data, "reason "+reason)
	}
	return a.change(ctx, who, q, func(p *Policy, who Caller) (Decision, error) {
		if err := p.governed(o); err != nil {
			return Decision{}, err
		}
		d := a.administers(p, who, o)
		if !d.Allowed {
			d = p.owns(who, o)
		}
		if !d.Allowed {
			return d, nil
		}
		return d, p.unused(o, versions)
	}, edit{func(w Writer) error { return w.RemoveObject(o, who.Principal, now()) }, func(p *Policy) bool {
		_, governed := p.owners[o]
		return !governed && len(p.byObject[o]) == 0 && len(p.Snapshots(name)) == 0
	}})
}

// unused returns an error that names the versions that an object restricts, if there are
// any.
func (p *Policy) unused(o Object, versions [][]Origin) error {
	const few = 8
	var names []string
	for _, lineage := range versions {
		if slices.Contains(p.Restrictions(lineage), o) {
			names = append(names, lineage[0].Version)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if len(names) > few {
		names = append(names[:few], fmt.Sprintf("and %d more", len(names)-few))
	}
	return fmt.Errorf("%s restricts %s: %w", o, strings.Join(names, ", "), ErrInUse)
}
