package datasets

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tkit/internal/disjoint"
)

// side is a side of a split; the zero value is none.
type side uint8

const (
	free side = iota
	train
	validation
	test
)

var sideNames = [...]string{free: "", train: Train, validation: Validation, test: Test}

func sideOf(split string) side { return side(slices.Index(sideNames[:], split)) }

// parting splits a snapshot whose entries have groups or are fixed to sides. A
// unit is a set of images that must stay together: they are linked by equal
// groups, equal bytes or by the caller.
type parting struct {
	entries   []Entry
	links     [][]int32 // lists of entries to keep together
	fractions Fractions
	labels    []string
	unitOf    []int32 // by entry
	units     []unit
	members   []member // by class
	classes   []int32  // the bounds of each class's members
	of        []int32  // the indices of members by unit
	begin     []int32  // the bounds of each unit's indices
	fixed     [len(sideNames)]bool
	present   [][len(sideNames)]int32 // number of units on each side, by class
}

type unit struct {
	place    float64
	witness  int32 // an entry that fixes it, for errors
	fixed    side
	assigned side
}

// member means that a unit has images of a class.
type member struct{ class, unit int32 }

// splitGroups is Split for snapshots with groups, fixed sides or entries to
// keep together.
func (s *Snapshot) splitGroups(f Fractions, links [][]int32) (Split, error) {
	if f.TrainPerClass > 0 {
		return Split{}, errors.New("a number of training images per class cannot be combined with the groups or splits of the dataset, or with keeping near duplicates together: give fractions instead")
	}
	p := &parting{entries: s.Entries, links: links, fractions: f, labels: s.Labels()}
	p.link()
	if err := p.fix(); err != nil {
		return Split{}, err
	}
	p.enlist()
	p.assign()
	if err := p.repair(); err != nil {
		return Split{}, err
	}
	var count [len(sideNames)]int
	for _, u := range p.unitOf {
		count[p.units[u].assigned]++
	}
	split := Split{
		Train: make([]int, 0, count[train]), Validation: make([]int, 0, count[validation]), Test: make([]int, 0, count[test]),
	}
	for i, u := range p.unitOf {
		switch p.units[u].assigned {
		case test:
			split.Test = append(split.Test, i)
		case validation:
			split.Validation = append(split.Validation, i)
		default:
			split.Train = append(split.Train, i)
		}
	}
	return split, nil
}

// link finds the units and their places. A unit's place is that of its first
// group in byte order, or, if it has none, of its image with the smallest
// SHA-256.
func (p *parting) link() {
	sets, byGroup := p.connect()
	n, units := len(p.entries), 0
	for i := range n {
		if sets.First(int32(i)) == int32(i) {
			units++
		}
	}
	p.unitOf, p.units = make([]int32, n), make([]unit, 0, units)
	for i := range n {
		if first := sets.First(int32(i)); int(first) == i {
			p.unitOf[i] = int32(len(p.units))
			p.units = append(p.units, unit{place: -1})
		} else {
			p.unitOf[i] = p.unitOf[first]
		}
	}
	p.place(byGroup)
}

// connect joins the entries that must be on the same side: those that are linked,
// have the same content, or are in the same group. It also returns the entries
// ordered by group and content, those without a group first.
func (p *parting) connect() (sets disjoint.Sets, byGroup []int32) {
	sets = disjoint.New(len(p.entries))
	join := func(order []int32, same func(a, b *Entry) bool) {
		for i := 1; i < len(order); i++ {
			if a, b := order[i-1], order[i]; same(&p.entries[a], &p.entries[b]) {
				sets.Join(a, b)
			}
		}
	}
	for _, link := range p.links {
		join(link, func(*Entry, *Entry) bool { return true })
	}
	order := byContent(p.entries)
	join(order, func(a, b *Entry) bool { return a.SHA256 == b.SHA256 })
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(strings.Compare(p.entries[a].Group, p.entries[b].Group),
			bytes.Compare(p.entries[a].SHA256[:], p.entries[b].SHA256[:]), cmp.Compare(a, b))
	})
	join(order, func(a, b *Entry) bool { return a.Group == b.Group && a.Group != "" })
	return sets, order
}

// place gives every unit its place.
func (p *parting) place(byGroup []int32) {
	seed := p.fractions.Seed
	var name []byte
	for _, i := range byGroup {
		u := &p.units[p.unitOf[i]]
		if g := p.entries[i].Group; g != "" && u.place < 0 {
			name = append(append(name[:0], "group "...), g...)
			u.place = place(seed, sha256.Sum256(name))
		}
	}
	for _, i := range byGroup {
		if u := &p.units[p.unitOf[i]]; u.place < 0 {
			u.place = place(seed, p.entries[i].SHA256)
		}
	}
}

// fix records which units the source fixes to a side.
func (p *parting) fix() error {
	var contradictions []string
	for i, e := range p.entries {
		if e.Split == "" {
			continue
		}
		u, want := &p.units[p.unitOf[i]], sideOf(e.Split)
		p.fixed[want] = true
		if u.fixed == free {
			u.fixed, u.witness = want, int32(i)
		} else if u.fixed != want {
			contradictions = append(contradictions, contradiction(&p.entries[u.witness], &e))
		}
	}
	if len(contradictions) > 0 {
		return fmt.Errorf("the dataset contradicts itself: %s: change their split or group, or leave one out", some(contradictions, 5))
	}
	return nil
}

func contradiction(a, b *Entry) string {
	why := "linked by groups, or images that are identical or look alike"
	switch {
	case a.Group == b.Group && a.Group != "":
		why = fmt.Sprintf("of the group %q", a.Group)
	case bytes.Equal(a.SHA256[:], b.SHA256[:]):
		why = "the same image"
	}
	return fmt.Sprintf("%q is for %s and %q for %s, but they are %s", a.Key, a.Split, b.Key, b.Split, why)
}

// enlist finds which units have images of which classes.
func (p *parting) enlist() {
	index := make(map[string]int32, len(p.labels))
	for c, label := range p.labels {
		index[label] = int32(c)
	}
	p.members = make([]member, len(p.entries))
	for i, e := range p.entries {
		p.members[i] = member{index[e.Label], p.unitOf[i]}
	}
	slices.SortFunc(p.members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.unit, b.unit))
	})
	p.members = slices.Compact(p.members)
	p.of = make([]int32, len(p.members))
	p.classes, p.begin = make([]int32, len(p.labels)+1), make([]int32, len(p.units)+1)
	for i, m := range p.members {
		p.of[i] = int32(i)
		p.classes[m.class+1]++
		p.begin[m.unit+1]++
	}
	slices.SortFunc(p.of, func(a, b int32) int { return cmp.Compare(p.members[a].unit, p.members[b].unit) })
	for c := range p.labels {
		p.classes[c+1] += p.classes[c]
	}
	for u := range p.units {
		p.begin[u+1] += p.begin[u]
	}
}

// allows reports whether a unit may be on a side.
func (p *parting) allows(u unit, s side) bool {
	switch u.fixed {
	case free:
		return s == train || !p.fixed[s] && p.fraction(s) > 0
	case train:
		return s == train || s == validation && !p.fixed[s] && p.fraction(s) > 0
	}
	return s == u.fixed
}

func (p *parting) fraction(s side) float64 {
	switch s {
	case test:
		return p.fractions.Test
	case validation:
		return p.fractions.Validation
	}
	return 1 - p.fractions.Test - p.fractions.Validation
}

// assign puts every unit on the side of its place, if allowed.
func (p *parting) assign() {
	for i := range p.units {
		u := &p.units[i]
		s := train
		switch f := p.fractions; {
		case u.place < f.Test:
			s = test
		case u.place < f.Test+f.Validation:
			s = validation
		}
		if !p.allows(*u, s) {
			s = train
		}
		if !p.allows(*u, s) {
			s = u.fixed
		}
		u.assigned = s
	}
	p.present = make([][len(sideNames)]int32, len(p.labels))
	for _, m := range p.members {
		p.present[m.class][p.units[m.unit].assigned]++
	}
}

// repair gives every class an image on each used side, as far as units can be
// moved.
func (p *parting) repair() error {
	var short []string
	for c, label := range p.labels {
		for _, s := range []side{test, validation, train} {
			used := s == train || p.fixed[s] || p.fraction(s) > 0
			if !used || p.present[c][s] > 0 {
				continue
			}
			u := p.nearest(int32(c), s)
			if u < 0 {
				short = append(short, fmt.Sprintf("%q has no image for %s", label, sideNames[s]))
				continue
			}
			p.move(u, s)
		}
	}
	if len(short) > 0 {
		return fmt.Errorf("%s: every class needs images on each side, but groups and fixed images cannot be divided: add images, or change the groups, the splits, the fractions or the seed", some(short, 5))
	}
	return nil
}

// nearest returns the unit of a class whose place is nearest to a side and that
// can be moved there without removing another class's last unit, or -1.
func (p *parting) nearest(class int32, to side) int32 {
	best, least := int32(-1), 0.0
	for _, m := range p.members[p.classes[class]:p.classes[class+1]] {
		u := p.units[m.unit]
		if !p.allows(u, to) || p.last(m.unit) {
			continue
		}
		if d := p.distance(u.place, to); best < 0 || d < least {
			best, least = m.unit, d
		}
	}
	return best
}

// last reports whether one of a unit's classes has no other unit on its side.
func (p *parting) last(u int32) bool {
	for _, i := range p.of[p.begin[u]:p.begin[u+1]] {
		if p.present[p.members[i].class][p.units[u].assigned] == 1 {
			return true
		}
	}
	return false
}

func (p *parting) distance(place float64, to side) float64 {
	f := p.fractions
	switch to {
	case test:
		return place
	case validation:
		return max(f.Test-place, place-f.Test-f.Validation)
	}
	return 1 - place
}

func (p *parting) move(u int32, to side) {
	for _, i := range p.of[p.begin[u]:p.begin[u+1]] {
		present := &p.present[p.members[i].class]
		present[p.units[u].assigned]--
		present[to]++
	}
	p.units[u].assigned = to
}
