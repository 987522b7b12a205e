package datasets

import (
	"cmp"
	"slices"
)

// Sides is the result of splitting a dataset.
type Sides struct {
	// Train, Validation and Test are numbers of images. They are 0 if there is
	// a Problem.
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
	// Together means that near duplicates were kept on one side.
	Together bool `json:"together,omitempty"`
	// Problem is why the dataset cannot be split this way, or "".
	Problem string `json:"problem,omitempty"`
}

// Divide splits the report's snapshot s and reports the sides of the images and
// the leaks between sides. With f.Together each group of near duplicates is on
// one side, as if the dataset gave its images one Group. An error is also
// recorded in the report; the sides are then those that the dataset fixes.
func (r *Report) Divide(s *Snapshot, f Fractions) (Split, error) {
	var links [][]int32
	var err error
	if f.Together {
		links, err = r.Near.links(s)
	}
	var split Split
	if err == nil {
		split, err = s.divide(f, links)
	}
	r.place(s, split, err)
	r.Sides.Together = f.Together && err == nil
	return split, err
}

func (r *Report) place(s *Snapshot, split Split, problem error) {
	sides := make([]side, len(s.Entries))
	for i, e := range s.Entries {
		sides[i] = sideOf(e.Split)
	}
	r.Sides = new(Sides)
	if problem != nil {
		r.Sides.Problem = problem.Error()
	} else {
		for on, indices := range map[side][]int{train: split.Train, validation: split.Validation, test: split.Test} {
			for _, i := range indices {
				sides[i] = on
			}
		}
		r.Sides.Train, r.Sides.Validation, r.Sides.Test = len(split.Train), len(split.Validation), len(split.Test)
	}
	r.placeClasses(s, sides)
	r.placeNear(s, sides)
}

func (r *Report) placeClasses(s *Snapshot, sides []side) {
	counts := make(map[string]*ClassCount, len(r.Classes))
	for i := range r.Classes {
		c := &r.Classes[i]
		c.Train, c.Validation, c.Test = 0, 0, 0
		counts[c.Label] = c
	}
	for i, e := range s.Entries {
		c := counts[e.Label]
		switch sides[i] {
		case train:
			c.Train++
		case validation:
			c.Validation++
		case test:
			c.Test++
		}
	}
}

func (r *Report) placeNear(s *Snapshot, sides []side) {
	if r.Near == nil {
		return
	}
	for k := range r.Near.Groups {
		g := &r.Near.Groups[k]
		for i := range g.Images {
			if at, ok := s.find(g.Images[i].Key); ok {
				g.Images[i].Side = sideNames[sides[at]]
			}
		}
		g.Leak = g.leaks()
	}
}

// find returns the index of the entry with a key.
func (s *Snapshot) find(key string) (index int, ok bool) {
	return slices.BinarySearchFunc(s.Entries, key, func(e Entry, key string) int { return cmp.Compare(e.Key, key) })
}
