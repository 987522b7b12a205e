package datasets

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Lost lists the classes without a usable example.
func (r *Report) Lost() (labels []string) {
	for _, c := range r.Classes {
		if c.Examples == 0 {
			labels = append(labels, c.Label)
		}
	}
	return labels
}

// shownAlike is how many groups of similar labels are named.
const shownAlike = 10

// labelWarnings warns of classes without usable examples, and of labels that
// look the same on a screen.
func (r *Report) labelWarnings() (warnings []string) {
	if lost := r.Lost(); len(lost) > 0 && r.Examples > 0 {
		what := "the class %s has no usable image, so a model does not learn it"
		if len(lost) > 1 {
			what = "the classes %s have no usable images, so a model does not learn them"
		}
		warnings = append(warnings, fmt.Sprintf(what, some(quoted(lost, false), shownNames)))
	}
	labels := make([]string, len(r.Classes))
	for i, c := range r.Classes {
		labels[i] = c.Label
	}
	groups := alikeLabels(labels)
	for _, g := range groups[:min(len(groups), shownAlike)] {
		reason, escape := difference(g)
		warnings = append(warnings, fmt.Sprintf("the labels %s differ only in %s: if they are one class, use one spelling", some(quoted(g, escape), shownNames), reason))
	}
	if more := len(groups) - shownAlike; more > 0 {
		warnings = append(warnings, fmt.Sprintf("%s of labels are as similar", plural(more, "more group")))
	}
	return warnings
}

// quoted quotes labels. escape writes all non-ASCII characters as \u.
func quoted(labels []string, escape bool) []string {
	format := "%q"
	if escape {
		format = "%+q"
	}
	return each(labels, func(label string) string { return fmt.Sprintf(format, label) })
}

// alikeLabels groups labels that differ only in capitals, in blanks or
// invisible characters, or in Unicode normalisation. The groups and their
// labels are in ascending order.
func alikeLabels(labels []string) (groups [][]string) {
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

// Folded returns a form of a text that is equal for all labels that alikeLabels
// groups together.
func Folded(text string) string { return strings.ToLower(visible(norm.NFKC.String(text))) }

// Difference describes how two texts with equal folded forms differ.
func Difference(a, b string) string {
	reason, _ := difference([]string{a, b})
	return reason
}

// difference describes how the labels of a group differ, and whether the
// difference is visible only with escaped characters.
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

// visible returns a text without blanks and invisible characters.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if shows(r) {
			return r
		}
		return -1
	}, text)
}

// blank reports whether a text has no visible character.
func blank(text string) bool { return strings.IndexFunc(text, shows) < 0 }

func shows(r rune) bool {
	if r > ' ' && r <= '~' {
		return true
	}
	return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
