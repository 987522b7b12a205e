package access

import (
	"context"
	"slices"

	"tkit/access/audit"
)

// maxListed is the maximum number of objects in one record.
const maxListed = 1000

// ListDatasets decides which registered datasets a caller may list. It writes two
// records before it returns: of those that the caller may list, and of the others.
// A dataset for which this cannot be decided is not listed.
func (a *Authority) ListDatasets(ctx context.Context, p *Policy, who Caller) ([]Registered, error) {
	all := p.Datasets()
	requests := make([]Request, len(all))
	for i, d := range all {
		requests[i] = Request{Action: "list", Right: List, Object: Dataset(d.Name)}
	}
	allowed, err := a.decideEach(ctx, p, who, requests, func(r Request) string { return string(r.Object) })
	listed := []Registered{}
	for i := range allowed {
		if allowed[i] {
			listed = append(listed, all[i])
		}
	}
	return listed, err
}

// UsableVersions decides, as ListDatasets does, which versions a caller may use.
func (a *Authority) UsableVersions(ctx context.Context, p *Policy, who Caller, lineages [][]Origin) ([]bool, error) {
	requests := make([]Request, len(lineages))
	for i, lineage := range lineages {
		requests[i] = Request{Action: "list", Right: Use, Lineage: lineage}
	}
	return a.decideEach(ctx, p, who, requests, func(r Request) string { return r.Lineage[0].Version })
}

// decideEach decides requests that differ only in their objects, and records the
// decisions by name: those that allow in one record, those that refuse in another.
// Objects without a policy are not recorded.
func (a *Authority) decideEach(ctx context.Context, p *Policy, who Caller, requests []Request, name func(Request) string) ([]bool, error) {
	allowed := make([]bool, len(requests))
	names := map[audit.Outcome][]string{}
	for i, r := range requests {
		d, err := a.Decide(ctx, p, who, r)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		outcome := audit.Denied
		if allowed[i] = err == nil && d.Allowed; allowed[i] {
			outcome = audit.Allowed
		}
		if !allowed[i] || d.Object != "" {
			names[outcome] = append(names[outcome], name(r))
		}
	}
	for _, outcome := range []audit.Outcome{audit.Allowed, audit.Denied} {
		for some := range slices.Chunk(names[outcome], maxListed) {
			entry := audit.Record{Who: string(who.Principal), As: a.as, Action: requests[0].Action, Right: string(requests[0].Right), Data: some,
				Purpose: who.Purpose, Policy: p.Generation(), Outcome: outcome}
			if err := a.log.Append(ctx, entry); err != nil {
				return nil, err
			}
		}
	}
	return allowed, nil
}
