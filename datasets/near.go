package datasets

import "slices"

// NearDuplicates is what was found of images that look alike though their bytes
// differ: one image encoded twice, scaled, brightened or trimmed, or frames of
// one film, as package similarity tells them.
type NearDuplicates struct {
	// Compared is the number of different images that were compared.
	Compared int `json:"compared"`
	// Distance and Correlation are how close the prints of two images had to
	// be: the most bits of their hashes that may differ, and the least
	// correlation.
	Distance    int     `json:"distance"`
	Correlation float64 `json:"correlation"`
	// Groups are in the order of their first keys.
	Groups []NearGroup `json:"groups,omitempty"`
	// Flat has the keys of images that show nothing, such as scans of blank
	// pages. They look like anything blank and were not compared.
	Flat []string `json:"flat,omitempty"`
	// Incomplete says that the search was broken off, as nearly all images
	// resemble each other: there are more than these.
	Incomplete bool `json:"incomplete,omitempty"`
}

// NearGroup is two or more images of which each looks like another one of them,
// in the order of their keys.
type NearGroup struct {
	Images []NearImage `json:"images"`
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

// Leak says whether some of the images are on one side of the split and some on
// another: what is judged by was trained on, or chosen by.
func (g NearGroup) Leak() bool {
	side := ""
	for _, i := range g.Images {
		if i.Side != "" && side != "" && i.Side != side {
			return true
		}
		if i.Side != "" {
			side = i.Side
		}
	}
	return false
}

// Contradicts says whether images of the group have different labels.
func (g NearGroup) Contradicts() bool {
	return slices.ContainsFunc(g.Images, func(i NearImage) bool { return i.Label != g.Images[0].Label })
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
	for _, g := range n.Groups {
		if g.Leak() {
			leaks = append(leaks, g)
		}
	}
	return leaks
}

// Together has the keys of each group, for Snapshot.SplitTogether. It is nil
// where nobody looked for any.
func (n *NearDuplicates) Together() (groups [][]string) {
	if n == nil {
		return nil
	}
	for _, g := range n.Groups {
		keys := make([]string, len(g.Images))
		for i, image := range g.Images {
			keys[i] = image.Key
		}
		groups = append(groups, keys)
	}
	return groups
}

// without leaves out what could not be decoded, which nobody has seen: it was
// compared with nothing. The result shares nothing that Report.Place changes.
func (n *NearDuplicates) without(reasons map[string]string) *NearDuplicates {
	if n == nil {
		return nil
	}
	out := *n
	out.Groups = nil
	for _, g := range n.Groups {
		images := slices.DeleteFunc(slices.Clone(g.Images), func(i NearImage) bool {
			_, gone := reasons[i.Key]
			return gone
		})
		if len(images) > 1 {
			out.Groups = append(out.Groups, NearGroup{images})
		}
	}
	return &out
}
