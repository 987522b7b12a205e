package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// NearDuplicates is what was found of images that look alike though their bytes
// differ: one image encoded twice, scaled, brightened or trimmed, or frames of
// one film.
type NearDuplicates struct {
	// Compared is how many images were compared, and Left how many were not,
	// being more than the bound; the first in the order of the keys are.
	Compared int `json:"compared"`
	Left     int `json:"left,omitempty"`
	// Distance and Correlation are how close the prints of two images had to
	// be: the most bits of their hashes that may differ, and the least
	// correlation.
	Distance    int     `json:"distance"`
	Correlation float64 `json:"correlation"`
	// Groups are in the order of their first keys.
	Groups []NearGroup `json:"groups,omitempty"`
	// Plain has the keys of images that are too small or too plain to be told
	// apart, such as scans of blank pages. They were not compared.
	Plain []string `json:"plain,omitempty"`
	// Incomplete says that the search was broken off, as nearly all images
	// resemble each other: there are more than these.
	Incomplete bool `json:"incomplete,omitempty"`
}

// NearGroup is two or more images of which each looks like another one of them,
// in the order of their keys.
type NearGroup struct {
	Images []NearImage `json:"images"`
	// Leak says that some of the images are on one side of the split and some
	// on another: what is judged by was trained on, or chosen by.
	Leak bool `json:"leak,omitempty"`
}

// NearImage is one of them.
type NearImage struct {
	Key   string `json:"key"` // the first of identical images
	Label string `json:"label"`
	// Copies is how many other keys have the same bytes.
	Copies int `json:"copies,omitempty"`
	// Distance is the number of bits, of 64, in which its hash differs from
	// that of the group's first image.
	Distance int `json:"distance"`
	// Side is where the split puts it, or "" where there is no split.
	Side string `json:"side,omitempty"`
}

// Contradicts says whether images of the group have different labels.
func (g NearGroup) Contradicts() bool {
	return slices.ContainsFunc(g.Images, func(i NearImage) bool { return i.Label != g.Images[0].Label })
}

// WorstFirst is the groups in the order in which they do harm: first those whose
// labels differ, then those that leak.
func WorstFirst(groups []NearGroup) []NearGroup {
	harm := func(g NearGroup) (h int) {
		if g.Contradicts() {
			h += 2
		}
		if g.Leak {
			h++
		}
		return h
	}
	groups = slices.Clone(groups)
	slices.SortStableFunc(groups, func(a, b NearGroup) int { return cmp.Compare(harm(b), harm(a)) })
	return groups
}

// leaks says whether the images are on more than one side.
func (g NearGroup) leaks() bool {
	side := ""
	for _, i := range g.Images {
		switch {
		case i.Side == "":
		case side == "":
			side = i.Side
		case i.Side != side:
			return true
		}
	}
	return false
}

// Images is the number of images in all groups, copies among them.
func (n *NearDuplicates) Images() int {
	count := 0
	for _, g := range n.Groups {
		for _, i := range g.Images {
			count += 1 + i.Copies
		}
	}
	return count
}

// Leaks are the groups that are on more than one side of the split.
func (n *NearDuplicates) Leaks() (leaks []NearGroup) {
	if n == nil {
		return nil
	}
	for _, g := range n.Groups {
		if g.Leak {
			leaks = append(leaks, g)
		}
	}
	return leaks
}

// What can be kept on one side. A chain of images, each like the next, can run
// through a dataset whose images all resemble each other, such as scans of one
// form; on one side it would leave the other sides a poor choice.
const (
	togetherAlways = 20       // images, in a dataset of any size
	togetherPart   = 1. / 10. // of the images compared
)

// links are the groups as indices of the snapshot's entries. It is an error
// where one is too large to be on one side.
func (n *NearDuplicates) links(s *Snapshot) (links [][]int32, err error) {
	if n == nil {
		return nil, errors.New("images that look alike are to stay together, and nobody looked which do")
	}
	for _, g := range n.Groups {
		if k := len(g.Images); k > togetherAlways && float64(k) > togetherPart*float64(n.Compared) {
			return nil, fmt.Errorf("%d of %d images look alike, from %s on, too many to stay together on one side: name groups in a manifest, or let the images be where they fall",
				k, n.Compared, g.Images[0].Key)
		}
		var link []int32
		for _, image := range g.Images {
			if at, ok := s.find(image.Key); ok {
				link = append(link, int32(at))
			}
		}
		links = append(links, link)
	}
	return links, nil
}

// without leaves out what could not be decoded. The result shares nothing that
// Report.Divide changes.
func (n *NearDuplicates) without(reasons map[string]string) *NearDuplicates {
	if n == nil {
		return nil
	}
	gone := func(key string) bool {
		_, gone := reasons[key]
		return gone
	}
	out := *n
	out.Groups, out.Plain = nil, slices.DeleteFunc(slices.Clone(n.Plain), gone)
	for _, g := range n.Groups {
		images := slices.DeleteFunc(slices.Clone(g.Images), func(i NearImage) bool { return gone(i.Key) })
		if len(images) > 1 {
			out.Groups = append(out.Groups, NearGroup{Images: images})
		}
	}
	return &out
}
