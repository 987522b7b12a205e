// Package measure is shared by the benchmark programs: it times two sides
// alternately in one run, and prints rows with their comparison and target.
package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Row is one measurement.
type Row struct {
	// What is measured, and what it is compared with, in a few words.
	What    string `json:"what"`
	Against string `json:"against"`
	// Measured and Reference are the two figures in Unit.
	Measured  float64 `json:"measured"`
	Reference float64 `json:"reference,omitempty"`
	Unit      string  `json:"unit"`
	// Ratio is compared with Target; see Row.Reached. Without a target the row
	// is for information.
	Ratio  float64 `json:"ratio"`
	Target float64 `json:"target"`
	// AtMost makes the target an upper bound.
	AtMost bool `json:"at_most,omitempty"`
	// Note adds information to the figures.
	Note string `json:"note,omitempty"`
	// Inapplicable is the reason why this machine cannot provide the figures,
	// which are then missing.
	Inapplicable string `json:"inapplicable,omitempty"`
}

// Reached reports whether the ratio meets the target. It is meaningless for an
// inapplicable row.
func (r Row) Reached() bool {
	if r.AtMost {
		return r.Ratio <= r.Target
	}
	return r.Ratio >= r.Target
}

// Print writes rows to standard output: as JSON lines if BENCH_JSON is set, for
// the program that collects them, otherwise as a table.
func Print(rows ...Row) error {
	if os.Getenv("BENCH_JSON") != "" {
		e := json.NewEncoder(os.Stdout)
		for _, r := range rows {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	return Table(os.Stdout, rows...)
}

// Table writes rows as a readable table.
func Table(w io.Writer, rows ...Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(Columns[:], "\t"))
	for _, r := range rows {
		c := r.Cells()
		fmt.Fprintln(t, strings.Join(c[:], "\t"))
	}
	return t.Flush()
}

// Columns are the names of the columns of [Row.Cells].
var Columns = [7]string{"what", "against", "measured", "reference", "ratio", "target", "note"}

// Cells returns the row's cells. The target is followed by reached or missed.
func (r Row) Cells() [7]string {
	bound, verdict := "≥", "missed"
	if r.AtMost {
		bound = "≤"
	}
	target := bound + " " + Figure(r.Target)
	if r.Target == 0 {
		target, verdict = "none", ""
	}
	if r.Inapplicable != "" {
		return [7]string{r.What, r.Against, "not applicable", "", "", target, r.Inapplicable}
	}
	if r.Target != 0 && r.Reached() {
		verdict = "reached"
	}
	reference := ""
	if r.Reference != 0 {
		reference = strings.TrimSpace(Figure(r.Reference) + " " + r.Unit)
	}
	measured := strings.TrimSpace(Figure(r.Measured) + " " + r.Unit)
	return [7]string{r.What, r.Against, measured, reference, Figure(r.Ratio), strings.TrimSpace(target + " " + verdict), r.Note}
}

// Figure formats a number with three significant digits and no exponent.
func Figure(v float64) string {
	s := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.ContainsRune(s, 'e') {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return s
}

// Interleave runs a and b alternately, rounds times after one uncounted round,
// and returns the median of each and of the ratios a/b of each pair, so that
// disturbances by the machine affect both equally.
func Interleave(rounds int, a, b func() (float64, error)) (medianA, medianB, ratio float64, err error) {
	var as, bs, ratios []float64
	for i := range rounds + 1 {
		x, err := a()
		if err != nil {
			return 0, 0, 0, err
		}
		y, err := b()
		if err != nil {
			return 0, 0, 0, err
		}
		if i > 0 {
			as, bs, ratios = append(as, x), append(bs, y), append(ratios, x/y)
		}
	}
	return Median(as), Median(bs), Median(ratios), nil
}

// Median returns the median of values, which must not be empty.
func Median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
