package evaluation

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"text/tabwriter"

	"tkit/internal/printable"
)

// The most classes for which the whole confusion matrix is printed, and the
// number of confused pairs printed otherwise.
const (
	textMatrixClasses = 20
	textPairs         = 10
)

// WriteText writes the evaluation as tables: the totals, the classes, then the
// confusion matrix, or its most frequent errors if there are many classes.
func (e *Evaluation) WriteText(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "accuracy\t%v\n", e.Accuracy)
	if e.Top5 != nil {
		fmt.Fprintf(t, "top-5 accuracy\t%v\n", *e.Top5)
	}
	fmt.Fprintf(t, "balanced accuracy\t%.4f\n", e.BalancedAccuracy)
	fmt.Fprintf(t, "macro F1\t%.4f\n", e.MacroF1)
	fmt.Fprintf(t, "temperature\t%.4g\n", e.Temperature)
	t.Flush()

	before, after := e.Uncalibrated, e.Calibrated
	fmt.Fprintf(&b, "\n")
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "calibration\tbefore\tafter\n")
	fmt.Fprintf(t, "negative log-likelihood\t%.4f\t%.4f\n", before.NLL, after.NLL)
	fmt.Fprintf(t, "Brier score\t%.4f\t%.4f\n", before.Brier, after.Brier)
	fmt.Fprintf(t, "calibration error, %d equal widths\t%.4f\t%.4f\n", Bins, before.ECE, after.ECE)
	fmt.Fprintf(t, "calibration error, %d equal counts\t%.4f\t%.4f\n", Bins, before.AdaptiveECE, after.AdaptiveECE)
	t.Flush()

	fmt.Fprintf(&b, "\n")
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "class\tprecision\trecall\tF1\timages\n")
	for _, c := range e.Classes {
		printable.Fprintf(t, "%s\t%.4f\t%.4f\t%.4f\t%d\n", c.Label, c.Precision, c.Recall, c.F1, c.Support)
	}
	t.Flush()

	if len(e.Classes) <= textMatrixClasses {
		e.writeMatrix(&b)
	} else {
		e.writePairs(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// String returns the share, its interval and its trials.
func (p Proportion) String() string {
	return fmt.Sprintf("%.4f  (95%% interval %.4f to %.4f, %d of %d)", p.Value, p.Low, p.High, p.Successes, p.Trials)
}

// Matrix returns the confusion matrix, with a row for each true class.
func (e *Evaluation) Matrix() [][]int {
	rows := make([][]int, len(e.Classes))
	for i := range rows {
		rows[i] = make([]int, len(e.Classes))
	}
	for _, c := range e.Confusion {
		rows[c.Truth][c.Predicted] = c.Count
	}
	return rows
}

func (e *Evaluation) writeMatrix(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nconfusion matrix: a row for each true class, a column for each predicted one\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range e.Classes {
		printable.Fprintf(t, "\t%s", c.Label)
	}
	fmt.Fprintf(t, "\t\n")
	for i, row := range e.Matrix() {
		printable.Fprintf(t, "%s", e.Classes[i].Label)
		for _, n := range row {
			fmt.Fprintf(t, "\t%d", n)
		}
		fmt.Fprintf(t, "\t\n")
	}
	t.Flush()
}

func (e *Evaluation) writePairs(b *bytes.Buffer) {
	var errors []Cell
	for _, c := range e.Confusion {
		if c.Truth != c.Predicted {
			errors = append(errors, c)
		}
	}
	sort.SliceStable(errors, func(i, j int) bool { return errors[i].Count > errors[j].Count })
	if len(errors) == 0 {
		return
	}
	fmt.Fprintf(b, "\nmost frequent errors\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "truth\ttaken for\timages\n")
	for _, c := range errors[:min(textPairs, len(errors))] {
		printable.Fprintf(t, "%s\t%s\t%d\n", e.Classes[c.Truth].Label, e.Classes[c.Predicted].Label, c.Count)
	}
	t.Flush()
}
