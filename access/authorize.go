package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tkit/access/audit"
)

// ErrDenied is the error of a request that the policy does not allow.
var ErrDenied = errors.New("not allowed")

// A Request is a right that a caller wants on one object, or on a version by its
// lineage.
type Request struct {
	Action  string // what the caller is about to do, such as "train" or "predict"
	Right   Right
	Object  Object
	Lineage []Origin // instead of Object
	Behind  []Origin // further objects that may decide
	// Data is recorded with the decision: dataset versions that the lineage does
	// not contain.
	Data []string
	// Store is the user that the store of the data is read as. It is "" if the
	// store has no users of its own, or is not open yet. Otherwise it must be the
	// caller.
	Store string
}

// Decide decides a request by a policy and records nothing. An error means that it
// could not be decided.
func (a *Authority) Decide(ctx context.Context, p *Policy, who Caller, r Request) (Decision, error) {
	who = a.ResolveIn(ctx, who, p.Clusters(p.objects(r)))
	var d Decision
	if now := time.Now(); len(r.Lineage) > 0 {
		d = p.DecideVersion(who, r.Right, r.Lineage, now)
	} else {
		d = p.Decide(who, r.Right, r.Object, now)
	}
	if d.Unknown != nil {
		return d, d.Unknown
	}
	return a.checkStoreUser(who, r, d)
}

// Authorize decides a request by the policy in force and records the decision. The
// error wraps ErrDenied if the request is refused. Any other error means that it
// could not be decided; the request is then refused too. If no object governs the
// request, nothing is decided or recorded.
func (a *Authority) Authorize(ctx context.Context, who Caller, r Request) (Decision, error) {
	p, err := a.Policy(ctx)
	if err != nil {
		return Decision{}, err
	}
	return a.AuthorizeBy(ctx, p, who, r)
}

// AuthorizeBy is Authorize by a given policy.
func (a *Authority) AuthorizeBy(ctx context.Context, p *Policy, who Caller, r Request) (Decision, error) {
	d, err := a.Decide(ctx, p, who, r)
	if err != nil {
		return Decision{}, err
	}
	if err := a.record(ctx, p, who, r, d); err != nil {
		return Decision{}, err
	}
	return d, p.refusal(who, r, d)
}

// record writes a decision to the audit log.
func (a *Authority) record(ctx context.Context, p *Policy, who Caller, r Request, d Decision) error {
	if d.Allowed && d.Object == "" {
		return nil
	}
	entry := audit.Record{
		Who: string(who.Principal), As: a.as, Store: r.Store, Action: r.Action, Right: string(r.Right), Object: string(d.Object), Data: r.Data,
		Purpose: who.Purpose, Policy: d.Generation, Grant: d.Grant, Outcome: audit.Denied, Reason: d.Reason,
	}
	if len(r.Lineage) > 0 {
		entry.Model = r.Lineage[0].Version
		entry.Data = append(slices.Clone(r.Data), p.versions(r.Lineage)...)
	}
	if d.Allowed {
		entry.Outcome = audit.Allowed
	}
	return a.log.Append(ctx, entry)
}

// A Refusal is the error of a request that was refused. It is ErrDenied.
type Refusal struct {
	Who      Caller
	Request  Request
	Decision Decision
	Owner    Principal // of the object that decided
}

// Error names the object, the reason, and who can change it.
func (r *Refusal) Error() string {
	what := string(r.Request.Action)
	if len(r.Request.Lineage) > 0 {
		what += " " + r.Request.Lineage[0].Version
	}
	text := fmt.Sprintf("%v to %s: %s", ErrDenied, what, r.Decision.Reason)
	if r.Decision.ReadAs != "" {
		return text + "; " + remedy(r.Who.Principal, r.Decision.ReadAs)
	}
	if r.Owner != "" {
		text += fmt.Sprintf("; %s owns it and can allow it", r.Owner)
	}
	return text
}

// Is makes a refusal ErrDenied.
func (r *Refusal) Is(target error) bool { return target == ErrDenied }

// refusal returns the error of a decision, nil if it allows the request.
func (p *Policy) refusal(who Caller, r Request, d Decision) error {
	if d.Allowed {
		return nil
	}
	return &Refusal{Who: who, Request: r, Decision: d, Owner: p.owners[d.Object]}
}
