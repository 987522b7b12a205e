package datasets

import (
	"fmt"
	"strings"
)

// Warnings says what of the report makes a model, or what is said of it, worse
// than it looks, a sentence each.
func (r *Report) Warnings() (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if s := r.Sides; s != nil && s.Problem != "" {
		warn("it cannot be split: %s", s.Problem)
	}
	if r.Layout != nil {
		warnings = append(warnings, r.Layout.Warnings...)
	}
	warnings = append(warnings, r.listWarnings()...)
	warnings = append(warnings, r.labelWarnings()...)
	warnings = append(warnings, r.Details.Warnings()...)
	n := r.Near
	if n == nil {
		return warnings
	}
	if leaks := len(n.Leaks()); leaks > 0 {
		warn("%s on more than one side of the split, so that a model is judged by what it was trained on: --look-alikes together keeps each on one side",
			groupsOf(leaks))
	}
	contradicting := 0
	for _, g := range n.Groups {
		if g.Contradicts() {
			contradicting++
		}
	}
	if contradicting > 0 {
		warn("%s in more than one class: look which label is right", groupsOf(contradicting))
	}
	if n.Left > 0 {
		warn("the first %d images were compared with each other, and %d were not: what looks like one of those is not found", n.Compared, n.Left)
	}
	if n.Incomplete {
		warn("nearly all images resemble each other, and the search for those that look alike was broken off: there are more than these")
	}
	return warnings
}

// Explain adds to an error, such as one of Divide, what was found about the
// layout of the dataset, or its list: it may be the reason.
func (r *Report) Explain(err error) error {
	reasons := r.listWarnings()
	if r.Layout != nil {
		reasons = append(reasons, r.Layout.Warnings...)
	}
	if err == nil || len(reasons) == 0 {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.Join(reasons, "; "))
}

func groupsOf(n int) string {
	if n == 1 {
		return "1 group of images that look alike is"
	}
	return fmt.Sprintf("%d groups of images that look alike are", n)
}

// String is the group's images with where they differ: their sides or labels.
func (g NearGroup) String() string {
	names := make([]string, len(g.Images))
	for i, image := range g.Images {
		names[i] = image.Key
		if image.Copies > 0 {
			names[i] += fmt.Sprintf(" (+%d copies)", image.Copies)
		}
		if g.Leak && image.Side != "" {
			names[i] += fmt.Sprintf(" [%s]", image.Side)
		}
	}
	text := some(names, 4)
	var what []string
	if g.Leak {
		what = append(what, "leak")
	}
	if g.Contradicts() {
		what = append(what, "labels differ")
	}
	if len(what) > 0 {
		text = strings.Join(what, ", ") + ": " + text
	}
	return text
}
