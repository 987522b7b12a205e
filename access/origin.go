package access

import (
	"slices"
	"time"
)

// An Origin is the part of a version that determines its restrictions: its model,
// and the data that it was trained on. A version's lineage is a list of them: the
// version itself, then its base, then the base of that.
type Origin struct {
	Version string // as in "flowers@7"
	Model   Object
	Data    []Data
}

// Data is a snapshot that a version was trained on.
type Data struct {
	Datasets []string // the registered datasets that it was known to belong to
	URI      string
	Digest   string // of the snapshot
	Store    string // the user that its store is read as now; see [Request]
}

// DatasetsAt returns the registered datasets that a place overlaps.
func (p *Policy) DatasetsAt(at Place) []Object {
	var found []Object
	for i := range p.datasets {
		if p.datasets[i].place.overlaps(at) {
			found = append(found, Dataset(p.datasets[i].Name))
		}
	}
	return found
}

// DatasetsOf returns the registered datasets that data belongs to: by their names, by
// its place, and by its content, since a copy of a dataset is that dataset. An
// unregistered name is included, and nobody has a right on it.
func (p *Policy) DatasetsOf(d Data) []Object {
	var found []Object
	for _, name := range d.Datasets {
		found = append(found, Dataset(name))
	}
	if at, ok := placeOf(d.URI); ok {
		found = append(found, p.DatasetsAt(at)...)
	}
	found = append(found, p.digests[d.Digest]...)
	if len(found) == 0 {
		return p.unplaced // it may be any of these
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Version returns the name of a registered dataset's content in the audit log, such as
// "dataset:scans@sha256:0f…".
func (d Data) Version(of Object) string {
	if d.Digest == "" {
		return string(of)
	}
	return string(of) + "@" + d.Digest
}

// versions returns those of the registered datasets behind a lineage, each once.
func (p *Policy) versions(lineage []Origin) []string {
	var all []string
	for _, o := range lineage {
		for _, d := range o.Data {
			for _, object := range p.DatasetsOf(d) {
				all = append(all, d.Version(object))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Restrictions returns the objects that restrict a version, each once: the registered
// datasets and protected models behind its lineage. All of them must allow a right
// on it.
func (p *Policy) Restrictions(lineage []Origin) []Object {
	var all []Object
	for _, o := range lineage {
		if _, governed := p.owners[o.Model]; governed {
			all = append(all, o.Model)
		}
		for _, d := range o.Data {
			all = append(all, p.DatasetsOf(d)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Domain returns a name for the set of all objects that restrict a lineage, "" if there
// are none. What is derived from restricted data is stored separately for each domain.
func (p *Policy) Domain(lineage []Origin) string { return domain(p.Restrictions(lineage)) }

// DecideVersion decides whether a caller has a right on a version: every
// governed object in its lineage must allow it now. A dataset from which the
// version is declassified for the right does not count.
func (p *Policy) DecideVersion(who Caller, right Right, lineage []Origin, now time.Time) Decision {
	all := Decision{Allowed: true, Generation: p.generation, Reason: "nothing in its lineage is restricted"}
	for _, object := range p.Restrictions(lineage) {
		if e := p.declassification(lineage[0].Version, object, right, now); e != nil {
			all.until(e.Expires)
			continue
		}
		one := p.Decide(who, right, object, now)
		all.until(one.Until)
		one.Until = all.Until
		if !one.Allowed {
			return one
		}
		all = one
	}
	return all
}

// declassification returns the one that currently lifts a dataset's restriction from
// a version, or nil.
func (p *Policy) declassification(version string, dataset Object, right Right, now time.Time) *Declassification {
	all := p.declassifications[declassificationKey{version, dataset, right.general()}]
	for i := range all {
		if !all[i].unread && live(all[i].Expires, now) {
			return &all[i]
		}
	}
	return nil
}
