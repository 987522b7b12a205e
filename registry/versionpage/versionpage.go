// Package versionpage describes a version in a self-contained page: its evaluation, its
// restrictions and its lineage.
package versionpage

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkit/internal/evaluation"
	"tkit/internal/page"
	"tkit/registry"
)

// The limits of a page for a version with many classes.
const (
	shownClasses  = 500 // the worst
	shownPairs    = 15  // of classes mistaken for each other, the most frequent
	matrixClasses = 24  // a larger confusion matrix cannot be read
	shortLabel    = 8   // characters of a label that can head a column of the matrix
	binImages     = 20  // the least images of a point of the reliability diagram
)

//go:embed body.html
var body string

var pages = page.New(body)

// Page is a version and its restrictions.
type Page struct {
	Version registry.Version
	// Restrictions describe what restricts the version now, in a sentence each.
	Restrictions []string
	// By is the version of tkit that writes the page.
	By string
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	m := p.Version.Manifest
	v := view{Restrictions: p.Restrictions, Lineage: lineage(p.Version), Evaluation: m.Metrics, BinImages: binImages}
	for _, name := range slices.Sorted(maps.Keys(m.Lineage.Parameters)) {
		v.Parameters = append(v.Parameters, [2]string{name, m.Lineage.Parameters[name]})
	}
	if e := m.Metrics; e != nil {
		v.Figures = figures(e)
		v.Reliability = []curve{curveOf("before", e.Uncalibrated), curveOf("after", e.Calibrated)}
		v.Calibration = calibrations(e)
		v.classes(e)
		v.confusion(e)
	}
	lines := []string{"registered " + m.Created.UTC().Format("2 January 2006, 15:04 MST")}
	if len(p.Version.Aliases) > 0 {
		lines = append(lines, "now "+strings.Join(p.Version.Aliases, ", "))
	}
	if b := m.Lineage.Base; b != nil && b.Random {
		lines = append(lines, "Warning: "+registry.RandomWarning)
	}
	if m.Description != "" {
		lines = slices.Insert(lines, 0, m.Description)
	}
	return pages.Write(w, page.Head{Kind: "Model version", Title: m.Ref().String(), Lines: lines,
		Foot: "Made by tkit " + p.By + ". Aliases and restrictions are as they were then."}, v)
}

// view is the data of the template.
type view struct {
	Restrictions []string
	Evaluation   *evaluation.Evaluation
	Figures      []page.Figure
	Reliability  []curve
	Calibration  [][3]string
	Classes      []evaluation.Class
	MoreClasses  int
	Matrix       *matrix // nil where it would be too large
	Pairs        []pair
	MorePairs    int
	Lineage      [][2]string
	Parameters   [][2]string
	BinImages    int
}

func figures(e *evaluation.Evaluation) []page.Figure {
	f := []page.Figure{{Name: "Accuracy", Value: percent(e.Accuracy.Value),
		Note: fmt.Sprintf("%s to %s with 95 %% confidence", percent(e.Accuracy.Low), percent(e.Accuracy.High))}}
	if t := e.Top5; t != nil {
		f = append(f, page.Figure{Name: "Among the first five", Value: percent(t.Value), Note: fmt.Sprintf("%s to %s", percent(t.Low), percent(t.High))})
	}
	return append(f,
		page.Figure{Name: "Balanced accuracy", Value: percent(e.BalancedAccuracy), Note: "mean recall of the classes"},
		page.Figure{Name: "Macro F1", Value: decimals(e.MacroF1)},
		page.Figure{Name: "Calibration error", Value: percent(e.Calibrated.ECE), Note: percent(e.Uncalibrated.ECE) + " before"},
		page.Figure{Name: "Test images", Value: page.Count(e.Examples), Note: "none of them used for training"})
}

func calibrations(e *evaluation.Evaluation) [][3]string {
	b, a := e.Uncalibrated, e.Calibrated
	return [][3]string{
		{"Negative log-likelihood", decimals(b.NLL), decimals(a.NLL)},
		{"Brier score", decimals(b.Brier), decimals(a.Brier)},
		{fmt.Sprintf("Calibration error, %d equal widths", evaluation.Bins), decimals(b.ECE), decimals(a.ECE)},
		{fmt.Sprintf("Calibration error, %d equal counts", evaluation.Bins), decimals(b.AdaptiveECE), decimals(a.AdaptiveECE)},
	}
}

// curve is a reliability diagram's points in a square of 200 × 200.
type curve struct {
	Name   string
	Points []point
}

type point struct {
	X, Y, Radius string
	Text         string
}

func curveOf(name string, c evaluation.Calibration) curve {
	out := curve{Name: name}
	bins := merged(c.Reliability)
	most := 1
	for _, b := range bins {
		most = max(most, b.Count)
	}
	for _, b := range bins {
		out.Points = append(out.Points, point{
			X: short(200 * b.Confidence), Y: short(200 - 200*b.Accuracy), Radius: short(2 + 5*math.Sqrt(float64(b.Count)/float64(most))),
			Text: fmt.Sprintf("%s images: %s sure, %s right", page.Count(b.Count), percent(b.Confidence), percent(b.Accuracy)),
		})
	}
	return out
}

// merged joins neighbouring bins until each has at least binImages: how often the
// model is right cannot be seen from a few images.
func merged(bins []evaluation.Bin) (enough []evaluation.Bin) {
	for i, b := range bins {
		last := len(enough) - 1
		rest := 0
		for _, later := range bins[i:] {
			rest += later.Count
		}
		if last < 0 || enough[last].Count >= binImages && rest >= binImages {
			enough = append(enough, b)
			continue
		}
		a := &enough[last]
		n, m := float64(a.Count), float64(b.Count)
		a.Confidence = (a.Confidence*n + b.Confidence*m) / (n + m)
		a.Accuracy = (a.Accuracy*n + b.Accuracy*m) / (n + m)
		a.Count += b.Count
	}
	return enough
}

// classes returns the classes, the worst first.
func (v *view) classes(e *evaluation.Evaluation) {
	c := slices.Clone(e.Classes)
	slices.SortStableFunc(c, func(a, b evaluation.Class) int { return cmp.Compare(a.F1, b.F1) })
	v.Classes = c[:min(len(c), shownClasses)]
	v.MoreClasses = len(c) - len(v.Classes)
}

// matrix is a confusion matrix with a row for each true class.
// Where labels are long, columns are headed by the numbers of the rows.
type matrix struct {
	Columns  []column
	Numbered bool
	Rows     []matrixRow
}

type column struct{ Head, Label string }

type matrixRow struct {
	Number int
	Label  string
	Cells  []cell
}

type cell struct {
	Count int
	Right bool
	Shade string // 0 to 1, the cell's part of the row
}

type pair struct {
	Truth, Predicted string
	Count, Of        int
}

func (v *view) confusion(e *evaluation.Evaluation) {
	if n := len(e.Classes); n <= matrixClasses {
		v.Matrix = &matrix{Numbered: slices.ContainsFunc(e.Classes, func(c evaluation.Class) bool {
			return utf8.RuneCountInString(c.Label) > shortLabel
		})}
		for i, c := range e.Classes {
			head := c.Label
			if v.Matrix.Numbered {
				head = strconv.Itoa(i + 1)
			}
			v.Matrix.Columns = append(v.Matrix.Columns, column{head, c.Label})
			v.Matrix.Rows = append(v.Matrix.Rows, matrixRow{i + 1, c.Label, make([]cell, n)})
			v.Matrix.Rows[i].Cells[i].Right = true
		}
	}
	for _, c := range e.Confusion {
		truth := e.Classes[c.Truth]
		if v.Matrix != nil {
			at := &v.Matrix.Rows[c.Truth].Cells[c.Predicted]
			at.Count, at.Shade = c.Count, short(float64(c.Count)/float64(max(1, truth.Support)))
		}
		if c.Truth != c.Predicted {
			v.Pairs = append(v.Pairs, pair{truth.Label, e.Classes[c.Predicted].Label, c.Count, truth.Support})
		}
	}
	slices.SortStableFunc(v.Pairs, func(a, b pair) int { return cmp.Compare(b.Count, a.Count) })
	v.MorePairs = max(0, len(v.Pairs)-shownPairs)
	v.Pairs = v.Pairs[:len(v.Pairs)-v.MorePairs]
}

func lineage(v registry.Version) (rows [][2]string) {
	m := v.Manifest
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	if b := m.Lineage.Base; b != nil {
		add("Base", strings.TrimSpace(fmt.Sprintf("%s %s %s", b.Name, b.Version, b.Digest)))
	}
	for _, s := range m.Lineage.Snapshots {
		text := fmt.Sprintf("%s, %s examples, %s", s.URI, page.Count(s.Entries), s.Digest)
		if len(s.Datasets) > 0 {
			text = strings.Join(s.Datasets, ", ") + ": " + text
		}
		add("Data", text)
	}
	cut := m.Cut.Endpoint
	if m.Cut.Pool != "" {
		cut += ", pooled: " + m.Cut.Pool
	}
	add("Cut", cut)
	add("Preprocessing", m.Preprocessing.String())
	add("Labels", page.Count(len(m.Labels)))
	add("Trunk", string(m.Trunk.Digest))
	add("Head", string(m.Head.Digest))
	add("Version", string(v.Digest))
	add("Code", fmt.Sprintf("tkit %s, seed %d", m.Lineage.Code, m.Lineage.Seed))
	add("Command", strings.Join(m.Lineage.Command, " "))
	return rows
}

func percent(v float64) string  { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }
func decimals(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
func short(v float64) string    { return strconv.FormatFloat(v, 'f', 2, 64) }
