// Package reportpage writes the report on a dataset as a self-contained page
// with thumbnails.
package reportpage

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"time"

	"tkit/datasets"
	"tkit/internal/page"
)

// The limits on what a page shows of a large dataset; the report as JSON has
// all of it.
const (
	shownClasses  = 300 // in the table, the smallest
	shownSamples  = 24  // classes with sample images, the smallest
	samples       = 10  // images of each
	shownGroups   = 60  // of near duplicates, the worst
	shownInGroup  = 6   // images of each
	shownConflict = 30
	shownItems    = 300 // of every other list
)

//go:embed body.html
var body string

var pages = page.New(body)

// Page is a report with additional content.
type Page struct {
	// Name is the dataset's name as the user wrote it.
	Name   string
	Report *datasets.Report
	// Snapshot is the report's snapshot; nil if no image is usable.
	Snapshot *datasets.Snapshot
	// Thumbnails are JPEGs by key: those in Wanted that may be shown.
	Thumbnails map[string][]byte
	// Made is the time, and By the version of tkit.
	Made time.Time
	By   string
}

// Wanted returns the keys of the images that the page shows.
func (p *Page) Wanted() map[string]bool {
	wanted := make(map[string]bool)
	for _, c := range p.sampled() {
		for _, key := range c.keys {
			wanted[key] = true
		}
	}
	if n := p.Report.Near; n != nil {
		for _, g := range first(datasets.WorstFirst(n.Groups), shownGroups) {
			for _, i := range first(g.Images, shownInGroup) {
				wanted[i.Key] = true
			}
		}
	}
	for _, keys := range first(p.Report.Conflicts, shownConflict) {
		for _, key := range first(keys, shownInGroup) {
			wanted[key] = true
		}
	}
	return wanted
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	r := p.Report
	v := view{Report: r, Near: r.Near, Sides: r.Sides, Figures: p.figures(), Warnings: r.Warnings(), Thumbnails: len(p.Thumbnails) > 0}
	if v.Sides == nil {
		v.Sides = new(datasets.Sides)
	}
	v.SidesTotal = v.Sides.Train + v.Sides.Validation + v.Sides.Test
	v.Classes = p.classes()
	v.MoreClasses = len(r.Classes) - len(v.Classes)
	for _, c := range v.Classes {
		v.Largest = max(v.Largest, c.Examples)
	}
	for _, c := range p.sampled() {
		s := sampleView{Label: c.label, Images: c.images}
		for _, key := range c.keys {
			s.Pictures = append(s.Pictures, p.picture(key))
		}
		v.Samples = append(v.Samples, s)
	}
	if r.Near != nil {
		p.near(&v)
	}
	for _, keys := range first(r.Conflicts, shownConflict) {
		g := groupView{Tags: []string{"same bytes"}}
		for _, key := range first(keys, shownInGroup) {
			c := p.picture(key)
			if at := slices.IndexFunc(r.Quarantined, func(q datasets.Quarantined) bool { return q.Key == key }); at >= 0 {
				c.Label = r.Quarantined[at].Label
			}
			g.Pictures = append(g.Pictures, c)
		}
		g.More = len(keys) - len(g.Pictures)
		v.Conflicts = append(v.Conflicts, g)
	}
	v.MoreConflicts = len(r.Conflicts) - len(v.Conflicts)
	v.Duplicates, v.MoreDuplicates = cut(r.Duplicates)
	v.Quarantined, v.MoreQuarantined = cut(r.Quarantined)
	v.Misnamed, v.MoreMisnamed = cut(r.Misnamed)
	v.Reasons = reasons(r)
	v.Sizes = r.Facts(page.Count)
	return pages.Write(w, p.head(), v)
}

func (p *Page) head() page.Head {
	lines := []string{p.Report.URI}
	if p.Report.Digest != "" {
		lines = append(lines, "snapshot "+p.Report.Digest)
	}
	foot := "Made by tkit " + p.By + "."
	if len(p.Thumbnails) > 0 {
		foot += " The page contains images of the dataset: anyone with the file can see them, whatever the policy says later."
	}
	return page.Head{Kind: "Data report", Title: p.Name, Lines: append(lines, p.Made.UTC().Format("2 January 2006, 15:04 MST")), Foot: foot}
}

func (p *Page) figures() []page.Figure {
	r := p.Report
	f := []page.Figure{
		{Name: "Images", Value: page.Count(r.Examples), Bad: r.Examples == 0},
		{Name: "Classes", Value: page.Count(len(r.Classes)), Bad: len(r.Classes) < 2},
		{Name: "Size", Value: datasets.Bytes(r.Bytes)},
	}
	if r.Imbalance > 0 {
		f = append(f, page.Figure{Name: "Imbalance", Value: decimal(r.Imbalance) + "×", Note: "largest class over smallest", Bad: r.Imbalance >= 10})
	}
	f = append(f, page.Figure{Name: "Quarantined", Value: page.Count(len(r.Quarantined)), Note: "not used", Bad: len(r.Quarantined) > 0})
	if n := r.Near; n != nil {
		note, leaks := "groups of images", len(n.Leaks())
		if leaks > 0 {
			note = fmt.Sprintf("groups; %s on two sides", page.Count(leaks))
		}
		f = append(f, page.Figure{Name: "Look alike", Value: page.Count(len(n.Groups)), Note: note, Bad: leaks > 0})
	}
	return f
}

// classes returns the smallest classes, largest first.
func (p *Page) classes() []datasets.ClassCount {
	c := slices.Clone(p.Report.Classes)
	slices.SortStableFunc(c, func(a, b datasets.ClassCount) int { return cmp.Compare(b.Examples, a.Examples) })
	return c[max(0, len(c)-shownClasses):]
}

type sampled struct {
	label  string
	images int
	keys   []string
}

// sampled returns images spread evenly over each of the smallest classes.
func (p *Page) sampled() []sampled {
	if p.Snapshot == nil {
		return nil
	}
	smallest := p.classes()
	smallest = smallest[max(0, len(smallest)-shownSamples):]
	at := make(map[string]int, len(smallest))
	out := make([]sampled, len(smallest))
	for i, c := range smallest {
		at[c.Label], out[i] = i, sampled{label: c.Label, images: c.Examples}
	}
	seen := make([]int, len(out))
	for _, e := range p.Snapshot.Entries {
		i, shown := at[e.Label]
		if !shown {
			continue
		}
		s := &out[i]
		// The k-th sample is the first image after the k-th part.
		if seen[i]*samples >= len(s.keys)*s.images && len(s.keys) < samples {
			s.keys = append(s.keys, e.Key)
		}
		seen[i]++
	}
	return slices.DeleteFunc(out, func(s sampled) bool { return len(s.keys) == 0 })
}

func (p *Page) picture(key string) picture {
	v := picture{Key: key, Name: path.Base(key)}
	if b, ok := p.Thumbnails[key]; ok {
		v.Image = page.JPEG(b)
	}
	return v
}

func (p *Page) near(v *view) {
	n := p.Report.Near
	for _, g := range first(datasets.WorstFirst(n.Groups), shownGroups) {
		out := groupView{}
		if g.Leak {
			out.Bad = append(out.Bad, "leak")
		}
		if g.Contradicts() {
			out.Bad = append(out.Bad, "labels differ")
		}
		for k, i := range first(g.Images, shownInGroup) {
			c := p.picture(i.Key)
			c.Label, c.Side = i.Label, i.Side
			switch {
			case k > 0 && i.Distance == 0:
				c.Notes = append(c.Notes, "hash equal")
			case k > 0:
				c.Notes = append(c.Notes, fmt.Sprintf("%d of 64 bits differ", i.Distance))
			}
			if i.Copies > 0 {
				c.Notes = append(c.Notes, fmt.Sprintf("and %d with the same bytes", i.Copies))
			}
			out.Pictures = append(out.Pictures, c)
		}
		out.More = len(g.Images) - len(out.Pictures)
		v.Groups = append(v.Groups, out)
	}
	v.MoreGroups = len(n.Groups) - len(v.Groups)
	v.Plain, v.MorePlain = cut(n.Plain)
}

// view is the data for the template.
type view struct {
	Report     *datasets.Report
	Near       *datasets.NearDuplicates
	Sides      *datasets.Sides
	SidesTotal int
	Figures    []page.Figure
	Warnings   []string
	Thumbnails bool

	Classes     []datasets.ClassCount
	MoreClasses int
	Largest     int
	Samples     []sampleView
	Sizes       []datasets.Fact

	Groups, Conflicts         []groupView
	MoreGroups, MoreConflicts int
	Plain                     []string
	MorePlain                 int
	Duplicates                [][]string
	MoreDuplicates            int
	Quarantined               []datasets.Quarantined
	MoreQuarantined           int
	Reasons                   []reason
	Misnamed                  []datasets.Misnamed
	MoreMisnamed              int
}

type sampleView struct {
	Label    string
	Images   int
	Pictures []picture
}

type groupView struct {
	Bad, Tags []string
	Pictures  []picture
	More      int
}

type picture struct {
	Key, Name, Label, Side string
	Notes                  []string
	Image                  template.URL // "" if there is none
}

type reason struct {
	Reason datasets.Reason
	Count  int
}

func reasons(r *datasets.Report) (out []reason) {
	for why, n := range r.Reasons() {
		out = append(out, reason{why, n})
	}
	slices.SortFunc(out, func(a, b reason) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason)) })
	return out
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

func cut[T any](list []T) (shown []T, more int) {
	shown = first(list, shownItems)
	return shown, len(list) - len(shown)
}

// decimal formats a number with one decimal if it is small.
func decimal(v float64) string {
	if v >= 100 {
		return page.Count(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}
