package access

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A Policy determines who may do what, at one generation. It is immutable; its
// methods are pure and may be called concurrently.
type Policy struct {
	generation        int64
	owners            map[Object]Principal
	datasets          []Registered // by name
	snapshots         []Snapshot
	digests           map[string][]Object
	grants            map[grantKey][]Grant
	byObject          map[Object][]Grant
	declassifications map[declassificationKey][]Declassification
	tokens            []Token
	byHash            map[[sha256.Size]byte]Token
	clusters          map[Object]string
	unreadable        []Unreadable
	unplaced          []Object // the datasets whose place is unknown
}

type grantKey struct {
	object    Object
	right     Right
	principal Principal
}

type declassificationKey struct {
	version string
	dataset Object
	right   Right
}

// NewPolicy indexes rules. A row that is not valid is [Unreadable].
func NewPolicy(r Rules) *Policy {
	p := &Policy{
		generation: r.Generation, owners: r.Owners, datasets: slices.Clone(r.Datasets), snapshots: r.Snapshots,
		digests:           make(map[string][]Object),
		grants:            make(map[grantKey][]Grant, len(r.Grants)),
		byObject:          make(map[Object][]Grant),
		declassifications: make(map[declassificationKey][]Declassification),
		byHash:            make(map[[sha256.Size]byte]Token, len(r.Tokens)),
		clusters:          clustersOf(r),
	}
	p.addObjects(r)
	for _, s := range r.Snapshots {
		p.digests[s.Digest] = append(p.digests[s.Digest], Dataset(s.Dataset))
	}
	for _, g := range r.Grants {
		g.unread = p.isUnreadable(g.Object, fmt.Sprintf("grant %d", g.ID), g.check(), g.Damage)
		if key := (grantKey{g.Object, g.Right, g.Principal}); !g.unread {
			p.grants[key] = append(p.grants[key], g)
		}
		p.byObject[g.Object] = append(p.byObject[g.Object], g)
	}
	for _, e := range r.Declassifications {
		e.unread = p.isUnreadable("", fmt.Sprintf("declassification %d of %s", e.ID, e.Version), e.check(), e.Damage)
		key := declassificationKey{e.Version, e.Dataset, e.Right}
		p.declassifications[key] = append(p.declassifications[key], e)
	}
	for _, t := range r.Tokens {
		if t.unread = p.isUnreadable("", "token "+t.ID, t.check(), t.Damage); !t.unread {
			p.byHash[t.Hash] = t
		}
		p.tokens = append(p.tokens, t)
	}
	return p
}

// addObjects indexes what has an owner.
func (p *Policy) addObjects(r Rules) {
	for _, o := range slices.Sorted(maps.Keys(r.Owners)) {
		_, noOwner := ParsePrincipal(string(r.Owners[o]))
		p.isUnreadable(o, "registration", noOwner, r.Damage[o])
	}
	for i := range p.datasets {
		d := &p.datasets[i]
		if at, ok := placeOf(d.URI); ok {
			d.place = at
			continue
		}
		o := Dataset(d.Name)
		p.isUnreadable(o, "place", fmt.Errorf("%.80q is not a place", d.URI))
		p.unplaced = append(p.unplaced, o)
	}
	slices.SortFunc(p.datasets, func(a, b Registered) int { return cmp.Compare(a.Name, b.Name) })
}

// Generation grows with every change of the policy.
func (p *Policy) Generation() int64 { return p.generation }

// Owner returns the owner of an object. Governed is false if it has none; then
// no grant applies.
func (p *Policy) Owner(o Object) (owner Principal, governed bool) {
	owner, governed = p.owners[o]
	return owner, governed
}

// RequireOwner is Owner for an object that must have an owner. The error wraps
// ErrNotFound and says how to register the object.
func (p *Policy) RequireOwner(o Object) (Principal, error) {
	return p.owners[o], p.governed(o)
}

// Grants returns those on an object, the oldest first, also those that have
// expired.
func (p *Policy) Grants(o Object) []Grant { return p.byObject[o] }

// Decide decides whether a caller has a right on one object. Nobody has rights
// on an unregistered dataset; everybody has all rights on a model without an
// owner.
//
// A row that cannot be read closes its object; its owner can still change its policy.
// Otherwise a denial that applies takes precedence. Then the owner has every right, and
// others have those granted to them. The owner's right to grant cannot be denied, because
// somebody must be able to revoke a denial.
func (p *Policy) Decide(who Caller, right Right, on Object, now time.Time) Decision {
	d := Decision{Object: on, Generation: p.generation}
	owner, governed := p.owners[on]
	if !governed {
		d.Allowed = on.Kind() == ModelKind
		d.Reason = string(on) + " is not registered"
		if d.Allowed {
			d.Reason = string(on) + " has no policy of its own"
		}
		return d
	}
	groups, unsure, err := p.groupsOn(who, on)
	if err != nil || unsure && p.deniesGroups(on, right, who.Purpose, now) {
		return d.unknown(who, err)
	}
	owns := who.Principal == owner || slices.Contains(groups, owner)
	if why := p.closed(on); why != "" && (!owns || right != Administer) {
		d.Reason = why
		return d
	}
	var allowed *Grant
	for i := -1; i < len(groups); i++ {
		name := who.Principal
		if i >= 0 {
			name = groups[i]
		}
		for g := range p.grantsTo(on, right, name) {
			if !live(g.Expires, now) || !g.covers(who.Purpose) {
				continue
			}
			d.until(g.Expires)
			if g.Effect == Allow {
				allowed = g
			} else if !owns || right != Administer {
				return d.by(g, who)
			}
		}
	}
	switch {
	case owns:
		d.Allowed, d.Reason = true, string(owner)+" owns "+string(on)
	case allowed != nil:
		return d.by(allowed, who)
	default:
		d.Reason = "nothing allows " + string(who.Principal) + " to " + string(right) + " " + string(on) + stated(who.Purpose)
	}
	return d
}

// grantsTo yields the grants on an object that allow or deny a right to a principal, also
// those of the right that includes it.
func (p *Policy) grantsTo(on Object, right Right, to Principal) iter.Seq[*Grant] {
	return func(yield func(*Grant) bool) {
		for _, r := range slices.Compact([]Right{right, right.general()}) {
			grants := p.grants[grantKey{on, r, to}]
			for i := range grants {
				if !yield(&grants[i]) {
					return
				}
			}
		}
	}
}

// unknown returns the decision if the groups that affect it cannot be
// determined.
func (d Decision) unknown(who Caller, err error) Decision {
	if err == nil {
		err = fmt.Errorf("%w: of %s: no directory names any, and groups are denied this; a home's access/groups.yaml, where there is one, says who is in which", ErrUnknownGroups, who.Principal)
	}
	d.Unknown, d.Reason = err, err.Error()
	return d
}

// by returns the decision by a grant.
func (d Decision) by(g *Grant, who Caller) Decision {
	d.Allowed, d.Grant = g.Effect == Allow, g.ID
	verb := map[Effect]string{Allow: " allows ", Deny: " denies "}[g.Effect]
	d.Reason = "grant " + strconv.FormatInt(g.ID, 10) + verb + string(g.Principal) + " to " + string(g.Right) + " " + string(g.Object) + stated(g.Purpose)
	return d
}

func stated(purpose string) string {
	if purpose == "" {
		return ""
	}
	return " for " + strconv.Quote(purpose)
}
