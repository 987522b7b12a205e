// Package progress displays a training run: with bars on a terminal, otherwise
// as lines.
package progress

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/train"
)

// Show returns an observer that displays a run on status, with bars if bars is
// set. The caller must call end after the run.
func Show(status io.Writer, bars bool) (observe train.Observer, end func()) {
	s := &show{status: status}
	if bars {
		s.bars = mpb.New(mpb.WithOutput(printable.Unwrap(status)), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond))
	}
	return s.event, s.finish
}

// Drawable reports whether bars can be drawn on f: whether it is a terminal
// with a known width. A terminal created by script or by a container may report
// 0.
func Drawable(f *os.File) bool {
	columns, _, err := term.GetSize(int(f.Fd()))
	return err == nil && columns > 0
}

// show displays one run.
type show struct {
	status io.Writer
	bars   *mpb.Progress // nil if there is no terminal, or it was lost

	bar     *mpb.Bar
	phase   train.PhaseBegan
	pace    pace
	told    time.Time
	done    int
	resumed int // steps already done when the next phase begins
}

// pace is the speed of a phase.
type pace struct {
	began time.Time
	from  int // done before it began
}

// rate returns the number per second.
func (p pace) rate(done int) float64 {
	return float64(done-p.from) / time.Since(p.began).Seconds()
}

// text formats the rate and, if the total is known, the time left.
func (p pace) text(done, total int) string {
	rate := p.rate(done)
	if rate <= 0 {
		return ""
	}
	text := fmt.Sprintf("%.4g/s", rate)
	if total > 0 {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}

// Write writes lines; on a terminal they appear above the bars when those are
// next drawn. If bars cannot be drawn, they end permanently, and only lines are
// written.
func (s *show) Write(text []byte) (int, error) {
	if s.bars != nil {
		if _, err := s.bars.Write(printable.Lines(text)); err == nil {
			return len(text), nil
		}
		s.bars, s.bar = nil, nil
	}
	return s.status.Write(text)
}

// Columns is the width of the terminal; see [present.Width].
func (s *show) Columns() int { return present.Width(s.status) }

// maxNote is the maximal size of a note, in bytes: it may quote the content of
// a file.
const maxNote = 8 << 10

var titles = map[train.Phase]string{
	train.Importing:   "reading the base",
	train.Snapshot:    "hashing images",
	train.Decoding:    "decoding images",
	train.Bottlenecks: "images through the trunk",
	train.Cutting:     "comparing cuts",
	train.Head:        "training the head",
	train.Epochs:      "training",
	train.Evaluating:  "evaluating",
}

func (s *show) event(e train.Event) {
	switch e := e.(type) {
	case train.PhaseBegan:
		s.end()
		s.phase, s.told, s.done = e, time.Now(), 0
		s.pace, s.resumed = pace{began: time.Now(), from: s.resumed}, 0
		if s.bars != nil {
			s.bar = s.newBar(e)
		}
	case train.Progress:
		s.progress(e)
	case train.PhaseEnded:
		s.end()
		took := e.Took.Round(time.Millisecond)
		switch {
		case s.done > s.pace.from && e.Took > 0:
			done := s.done - s.pace.from
			fmt.Fprintf(s, "%-26s %d %s in %v, %.4g/s\n", titles[e.Phase], done, s.phase.Unit, took, float64(done)/e.Took.Seconds())
		default:
			fmt.Fprintf(s, "%-26s %v\n", titles[e.Phase], took)
		}
	case train.DataFound:
		fmt.Fprintln(s)
		_ = e.Report.Table(s)
		fmt.Fprintln(s)
	case train.CutsTried:
		s.cuts(e)
	case train.HeadTrained:
		s.head(e)
	case train.EpochEnded:
		s.epoch(e)
	case train.DeviceFound:
		fmt.Fprintf(s, "computing on %s\n", printable.Text(e.Device))
		for _, missing := range e.Missing {
			_ = present.Labelled(s, "", "warning", "no GPU is used: "+printable.Cut(missing, maxNote))
		}
	case train.Noted:
		_ = present.Labelled(s, "", "note", printable.Cut(e.Text, maxNote))
	case train.Resumed:
		s.resumed = e.Step
		fmt.Fprintf(s, "continuing from the checkpoint at step %d of %d\n", e.Step, e.Steps)
	}
}

func (s *show) newBar(e train.PhaseBegan) *mpb.Bar {
	pace := s.pace
	bar, err := s.bars.Add(int64(e.Total),
		mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("░").Build(),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(titles[e.Phase], decor.WC{W: 26, C: decor.DindentRight})),
		mpb.AppendDecorators(
			decor.CountersNoUnit(" %d/%d "+e.Unit),
			decor.Any(func(now decor.Statistics) string {
				return "  " + pace.text(int(now.Current), e.Total)
			}),
		))
	if err != nil {
		s.bars = nil // see Write
		return nil
	}
	return bar
}

// quiet is the interval of reports about a long phase without bars.
const quiet = 10 * time.Second

func (s *show) progress(p train.Progress) {
	s.done = p.Done
	if s.bar != nil {
		if p.Total == 0 {
			s.bar.SetTotal(int64(p.Done+1), false)
		}
		s.bar.SetCurrent(int64(p.Done))
		return
	}
	if time.Since(s.told) < quiet {
		return
	}
	s.told = time.Now()
	total := ""
	if p.Total > 0 {
		total = fmt.Sprintf(" of %d", p.Total)
	}
	fmt.Fprintf(s, "%-26s %d%s %s, %s\n", titles[p.Phase], p.Done, total, s.phase.Unit, s.pace.text(p.Done, p.Total))
}

func (s *show) epoch(e train.EpochEnded) {
	line := fmt.Sprintf("epoch %3d/%d  loss %.4f", e.Number, e.Epochs, e.Loss)
	if e.ValidationLoss > 0 {
		line += fmt.Sprintf("  validation loss %.4f  accuracy %.4f", e.ValidationLoss, e.ValidationAccuracy)
		if e.Best {
			line += "  *"
		}
	}
	fmt.Fprintln(s, line)
}

func (s *show) head(e train.HeadTrained) {
	if len(e.Trials) == 0 {
		return
	}
	by := "validation images"
	if e.Folds > 0 {
		by = fmt.Sprintf("cross-validation in %d parts", e.Folds)
	}
	fmt.Fprintf(s, "%-26s %.3g, the best of %d by %s\n", "penalty", e.Penalty, len(e.Trials), by)
}

func (s *show) cuts(e train.CutsTried) {
	fmt.Fprintf(s, "\nheads on each cut, evaluated on images held out of %d:\n", e.Images)
	var rows [][]string
	for _, c := range e.Candidates {
		chosen := ""
		if c.Chosen {
			chosen = "chosen"
		}
		rows = append(rows, []string{c.Cut.String(), strconv.Itoa(c.Width),
			strconv.FormatFloat(c.Loss, 'f', 4, 64), strconv.FormatFloat(c.Accuracy, 'f', 4, 64), chosen})
	}
	_ = present.Table(s, []string{"cut", "width", "loss", "accuracy", ""}, rows)
	fmt.Fprintln(s)
}

// finish ends the display, after its last line.
func (s *show) finish() {
	s.end()
	if s.bars != nil {
		s.bars.Wait()
		s.bars = nil
	}
}

// end removes the current bar.
func (s *show) end() {
	if s.bar != nil {
		s.bar.Abort(true)
		s.bar.Wait()
		s.bar = nil
	}
}
