package access

import (
	"context"
	"slices"

	"tkit/internal/access/audit"
)

// mostListed bounds how many datasets one record names.
const mostListed = 1000

// List decides which registered datasets an asker may see, and writes that down
// before it tells: a record of those that they may, and one of the others. A
// dataset of which nobody can tell is not seen.
func (a *Authority) List(ctx context.Context, p *Policy, who Asker) ([]Registered, error) {
	seen := []Registered{}
	names := map[audit.Outcome][]string{}
	for _, d := range p.Datasets() {
		outcome := audit.Denied
		if answer, err := a.Answer(ctx, p, who, Question{Right: List, Object: Dataset(d.Name)}); err == nil && answer.Allowed {
			outcome, seen = audit.Allowed, append(seen, d)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names[outcome] = append(names[outcome], string(Dataset(d.Name)))
	}
	for _, outcome := range []audit.Outcome{audit.Allowed, audit.Denied} {
		for some := range slices.Chunk(names[outcome], mostListed) {
			r := audit.Record{Who: string(who.Principal), As: a.as, Action: "list", Right: string(List), Data: some,
				Purpose: who.Purpose, Policy: p.Generation(), Outcome: outcome}
			if err := a.log.Append(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}
