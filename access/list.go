package access

import (
	"context"
	"slices"

	"tkit/access/audit"
)

// mostListed bounds how many things one record names.
const mostListed = 1000

// List decides which registered datasets an asker may see, and writes that down
// before it tells: a record of those that they may, and one of the others. A
// dataset of which nobody can tell is not seen.
func (a *Authority) List(ctx context.Context, p *Policy, who Asker) ([]Registered, error) {
	all := p.Datasets()
	questions := make([]Question, len(all))
	for i, d := range all {
		questions[i] = Question{Action: "list", Right: List, Object: Dataset(d.Name)}
	}
	may, err := a.sift(ctx, p, who, questions, func(q Question) string { return string(q.Object) })
	seen := []Registered{}
	for i := range may {
		if may[i] {
			seen = append(seen, all[i])
		}
	}
	return seen, err
}

// Describe decides, as List does, of which versions an asker may see what they
// are and are worth: of those that they may use.
func (a *Authority) Describe(ctx context.Context, p *Policy, who Asker, lineages [][]Origin) ([]bool, error) {
	questions := make([]Question, len(lineages))
	for i, lineage := range lineages {
		questions[i] = Question{Action: "list", Right: Use, Lineage: lineage}
	}
	return a.sift(ctx, p, who, questions, func(q Question) string { return q.Lineage[0].Version })
}

// sift answers questions that differ in what they are about only, and writes the
// answers down, by name. What nothing governs is not written down.
func (a *Authority) sift(ctx context.Context, p *Policy, who Asker, questions []Question, name func(Question) string) ([]bool, error) {
	may := make([]bool, len(questions))
	names := map[audit.Outcome][]string{}
	for i, q := range questions {
		d, err := a.Answer(ctx, p, who, q)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		outcome := audit.Denied
		if may[i] = err == nil && d.Allowed; may[i] {
			outcome = audit.Allowed
		}
		if !may[i] || d.Object != "" {
			names[outcome] = append(names[outcome], name(q))
		}
	}
	for _, outcome := range []audit.Outcome{audit.Allowed, audit.Denied} {
		for some := range slices.Chunk(names[outcome], mostListed) {
			r := audit.Record{Who: string(who.Principal), As: a.as, Action: questions[0].Action, Right: string(questions[0].Right), Data: some,
				Purpose: who.Purpose, Policy: p.Generation(), Outcome: outcome}
			if err := a.log.Append(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return may, nil
}
