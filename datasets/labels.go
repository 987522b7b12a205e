package datasets

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Lost are the classes none of whose examples can be used.
func (r *Report) Lost() (labels []string) {
	for _, c := range r.Classes {
		if c.Examples == 0 {
			labels = append(labels, c.Label)
		}
	}
	return labels
}

// shownAlike is how many groups of labels that look alike are named.
const shownAlike = 10

// labelWarnings are about classes that are lost, and about labels that nobody
// tells apart on a screen.
func (r *Report) labelWarnings() (warnings []string) {
	if lost := r.Lost(); len(lost) > 0 && r.Examples > 0 {
		what := "the class %s has no image that can be used, so that a model does not know it"
		if len(lost) > 1 {
			what = "the classes %s have no image that can be used, so that a model does not know them"
		}
		warnings = append(warnings, fmt.Sprintf(what, some(quoted(lost, false), shownNames)))
	}
	labels := make([]string, len(r.Classes))
	for i, c := range r.Classes {
		labels[i] = c.Label
	}
	groups := AlikeLabels(labels)
	for _, g := range groups[:min(len(groups), shownAlike)] {
		reason, escape := difference(g)
		warnings = append(warnings, fmt.Sprintf("the labels %s differ only in %s: if they are one class, write it in one way", some(quoted(g, escape), shownNames), reason))
	}
	if more := len(groups) - shownAlike; more > 0 {
		warnings = append(warnings, fmt.Sprintf("%s of labels differ as little", plural(more, "more group")))
	}
	return warnings
}

// quoted quotes labels; escape writes all but ASCII as \u.
func quoted(labels []string, escape bool) []string {
	format := "%q"
	if escape {
		format = "%+q"
	}
	return each(labels, func(label string) string { return fmt.Sprintf(format, label) })
}

// AlikeLabels groups labels that differ only in capitals, in blanks or
// characters that cannot be seen, or in the form that Unicode has for the same
// character. The groups and their labels are in ascending order.
func AlikeLabels(labels []string) (groups [][]string) {
	by := make(map[string][]string)
	for _, label := range labels {
		key := Folded(label)
		by[key] = append(by[key], label)
	}
	for _, group := range by {
		slices.Sort(group)
		if group = slices.Compact(group); len(group) > 1 {
			groups = append(groups, group)
		}
	}
	slices.SortFunc(groups, slices.Compare)
	return groups
}

// Folded is the form of a text that is the same for all that AlikeLabels takes
// for one.
func Folded(text string) string { return strings.ToLower(visible(norm.NFKC.String(text))) }

// Difference says in what alone two texts differ that are folded alike.
func Difference(a, b string) string {
	reason, _ := difference([]string{a, b})
	return reason
}

// difference says in what alone the labels of a group differ, and whether that
// is seen only with their characters written as numbers.
func difference(group []string) (reason string, escape bool) {
	for _, d := range []struct {
		reason string
		escape bool
		same   func(string) string
	}{
		{"capitals", false, strings.ToLower},
		{"blanks", false, visible},
		{"their Unicode normal form", true, norm.NFC.String},
		{"the form of their characters", true, norm.NFKC.String},
	} {
		same := func(a, b string) bool { return d.same(a) == d.same(b) }
		if len(slices.CompactFunc(slices.Clone(group), same)) == 1 {
			return d.reason, d.escape
		}
	}
	return "capitals, blanks or the form of their characters", true
}

// visible is a text without blanks and without characters that show nothing.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if shows(r) {
			return r
		}
		return -1
	}, text)
}

// blank says whether a text shows nothing.
func blank(text string) bool { return strings.IndexFunc(text, shows) < 0 }

func shows(r rune) bool {
	if r > ' ' && r <= '~' {
		return true
	}
	return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
