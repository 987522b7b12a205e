package datasets

// Unnamed returns the report without the keys of images: the counts of
// findings, for users who may not see the data. The table and the JSON have the
// same form, with empty keys.
func (r *Report) Unnamed() *Report {
	n := *r
	n.unnamed = true
	n.Quarantined = each(r.Quarantined, func(q Quarantined) Quarantined { return Quarantined{Label: q.Label, Reason: q.Reason} })
	n.Misnamed = each(r.Misnamed, func(m Misnamed) Misnamed { return Misnamed{Extension: m.Extension, Format: m.Format} })
	blank := func(string) string { return "" }
	blanks := func(keys []string) []string { return each(keys, blank) }
	n.Duplicates, n.Conflicts = each(r.Duplicates, blanks), each(r.Conflicts, blanks)
	if r.Layout != nil {
		n.Layout = &Layout{Labels: r.Layout.Labels, Sides: r.Layout.Sides}
	}
	n.ListDifferences = each(r.ListDifferences, func(d ListDifference) ListDifference {
		d.Listed, d.Found = "", ""
		return d
	})
	if r.Unlisted != nil {
		n.Unlisted = &Unlisted{Files: r.Unlisted.Files}
	}
	if r.Sizes != nil {
		sizes := *r.Sizes
		for _, m := range []*Measured{&sizes.Bytes.Smallest, &sizes.Bytes.Largest, &sizes.Pixels.Smallest, &sizes.Pixels.Largest} {
			m.Key = ""
		}
		n.Sizes = &sizes
	}
	n.Details = r.Details.unnamed()
	if r.Near != nil {
		near := *r.Near
		near.Plain = each(near.Plain, blank)
		near.Groups = each(near.Groups, func(g NearGroup) NearGroup {
			g.Images = each(g.Images, func(i NearImage) NearImage { i.Key = ""; return i })
			return g
		})
		n.Near = &near
	}
	return &n
}

// each returns a new list with f applied to each item, nil if there are none.
func each[T any](list []T, f func(T) T) (made []T) {
	for _, item := range list {
		made = append(made, f(item))
	}
	return made
}
