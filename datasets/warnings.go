package datasets

import (
	"fmt"
	"strings"
)

// Warnings returns a sentence for each finding that makes a model, or its
// measured accuracy, worse than it looks.
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
		warn("%s on more than one side of the split, so the evaluation includes images like those trained on: keep look-alikes together on one side",
			groupsOf(leaks))
	}
	contradicting := 0
	for _, g := range n.Groups {
		if g.Contradicts() {
			contradicting++
		}
	}
	if contradicting > 0 {
		warn("%s in more than one class: check which label is right", groupsOf(contradicting))
	}
	if n.Left > 0 {
		warn("only the first %d images were compared with each other; near duplicates of the other %d are not found", n.Compared, n.Left)
	}
	if n.Incomplete {
		warn("nearly all images resemble each other, so the search for near duplicates was stopped: there are more than these")
	}
	return warnings
}

// Explain adds to an error, such as one of Divide, findings about the dataset's
// layout or list that may be the cause.
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

// String returns the group's images with their differing sides or labels.
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
