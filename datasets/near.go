package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// NearDuplicates reports images that look alike though their bytes differ: one
// image encoded twice, scaled, brightened or trimmed, or frames of one film.
type NearDuplicates struct {
	// Compared is how many images were compared, and Left how many were not,
	// because they exceeded the bound. The first keys are compared.
	Compared int `json:"compared"`
	Left     int `json:"left,omitempty"`
	// Distance and Correlation are the thresholds: the most bits by which the
	// hashes of two images may differ, and the smallest correlation of their
	// prints.
	Distance    int     `json:"distance"`
	Correlation float64 `json:"correlation"`
	// Groups are in the order of their first keys.
	Groups []NearGroup `json:"groups,omitempty"`
	// Plain lists images that are too small or too plain to be distinguished,
	// such as scans of blank pages. They were not compared.
	Plain []string `json:"plain,omitempty"`
	// Incomplete means that the search was stopped because nearly all images
	// resemble each other: there are more groups.
	Incomplete bool `json:"incomplete,omitempty"`
}

// NearGroup is two or more images, each similar to another one of them, in the
// order of their keys.
type NearGroup struct {
	Images []NearImage `json:"images"`
	// Leak means that the images are on more than one side of the split: an
	// evaluation or a choice then uses images similar to training images.
	Leak bool `json:"leak,omitempty"`
}

// NearImage is an image of a group.
type NearImage struct {
	Key   string `json:"key"` // the first of identical images
	Label string `json:"label"`
	// Copies is how many other keys have the same bytes.
	Copies int `json:"copies,omitempty"`
	// Distance is the number of bits, of 64, by which its hash differs from
	// that of the group's first image.
	Distance int `json:"distance"`
	// Side is its side of the split, or "" before a split.
	Side string `json:"side,omitempty"`
}

// Contradicts reports whether images of the group have different labels.
func (g NearGroup) Contradicts() bool {
	return slices.ContainsFunc(g.Images, func(i NearImage) bool { return i.Label != g.Images[0].Label })
}

// WorstFirst returns the groups ordered by severity: first those with different
// labels, then those that leak.
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

// leaks reports whether the images are on more than one side.
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

// Images returns the number of images in all groups, including copies.
func (n *NearDuplicates) Images() int {
	count := 0
	for _, g := range n.Groups {
		for _, i := range g.Images {
			count += 1 + i.Copies
		}
	}
	return count
}

// Leaks returns the groups that are on more than one side of the split.
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

// The largest group that can be kept on one side. A chain of images, each
// similar to the next, can extend through a dataset whose images all resemble
// each other, such as scans of one form. Keeping it on one side would leave the
// other sides unrepresentative.
const (
	togetherAlways = 20       // images, in a dataset of any size
	togetherPart   = 1. / 10. // of the images compared
)

// links returns the groups as indices of the snapshot's entries. It returns an
// error if one is too large for one side.
func (n *NearDuplicates) links(s *Snapshot) (links [][]int32, err error) {
	if n == nil {
		return nil, errors.New("near duplicates can be kept together only if the report searched for them")
	}
	for _, g := range n.Groups {
		if k := len(g.Images); k > togetherAlways && float64(k) > togetherPart*float64(n.Compared) {
			return nil, fmt.Errorf("%d of %d images, from %s on, look alike: too many to keep on one side; name groups in a manifest, or split without keeping near duplicates together",
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

// without omits images that could not be decoded. The result shares nothing
// that Report.Divide changes.
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
