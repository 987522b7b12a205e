package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tkit/train"
)

// observer shows a training run: bars on a terminal, plain lines elsewhere, or
// events as JSON lines. The function ends what it shows.
func observer(out, status io.Writer, terminal, asJSON bool) (train.Observer, func()) {
	if asJSON {
		return jsonEvents(out), func() {}
	}
	s := &show{status: status, lines: status}
	if terminal {
		s.bars = mpb.New(mpb.WithOutput(status), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond))
		s.lines = s.bars // what it writes scrolls above the bars
	}
	return s.event, s.end
}

func jsonEvents(out io.Writer) train.Observer {
	e := json.NewEncoder(out)
	return func(event train.Event) {
		// A reader that has gone away is no reason to give up the training.
		_ = encodeEvent(e, event.Name(), event)
	}
}

// encodeEvent writes one event as a line of JSON.
func encodeEvent(e *json.Encoder, name string, data any) error {
	return e.Encode(struct {
		Event string    `json:"event"`
		Time  time.Time `json:"time"`
		Data  any       `json:"data"`
	}{name, time.Now().UTC(), data})
}

// show draws for people.
type show struct {
	status, lines io.Writer
	bars          *mpb.Progress // nil where there is no terminal

	bar   *mpb.Bar
	phase train.PhaseBegan
	began time.Time
	told  time.Time
	done  int
}

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
		s.phase, s.began, s.told, s.done = e, time.Now(), time.Now(), 0
		if s.bars != nil {
			s.bar = s.newBar(e)
		}
	case train.Progress:
		s.progress(e)
	case train.PhaseEnded:
		s.end()
		took := e.Took.Round(time.Millisecond)
		switch {
		case s.done > 0 && e.Took > 0:
			rate := float64(s.done) / e.Took.Seconds()
			fmt.Fprintf(s.lines, "%-26s %d %s in %v, %.4g/s\n", titles[e.Phase], s.done, s.phase.Unit, took, rate)
		default:
			fmt.Fprintf(s.lines, "%-26s %v\n", titles[e.Phase], took)
		}
	case train.DataFound:
		fmt.Fprintln(s.lines)
		_ = e.Report.Table(s.lines)
		fmt.Fprintf(s.lines, "%d images for training, %d for validation, %d for the test\n\n", e.Train, e.Validation, e.Test)
	case train.CutsTried:
		s.cuts(e)
	case train.EpochEnded:
		s.epoch(e)
	case train.Resumed:
		fmt.Fprintf(s.lines, "going on from the checkpoint at step %d of %d\n", e.Step, e.Steps)
	}
}

func (s *show) newBar(e train.PhaseBegan) *mpb.Bar {
	return s.bars.New(int64(e.Total),
		mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("░"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(titles[e.Phase], decor.WC{W: 26, C: decor.DindentRight})),
		mpb.AppendDecorators(
			decor.CountersNoUnit(" %d/%d "+e.Unit),
			decor.AverageSpeed(0, "  %.4g/s"),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 8}), ""),
			decor.Name(" left"),
		))
}

// quiet is how long a log without a terminal hears nothing of a long phase.
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
	rate := float64(p.Done) / time.Since(s.began).Seconds()
	total, left := "", ""
	if p.Total > 0 {
		total = fmt.Sprintf(" of %d", p.Total)
	}
	if p.Total > 0 && rate > 0 {
		left = fmt.Sprintf(", %v left", time.Duration(float64(p.Total-p.Done)/rate*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(s.lines, "%-26s %d%s %s, %.4g/s%s\n", titles[p.Phase], p.Done, total, s.phase.Unit, rate, left)
}

func (s *show) epoch(e train.EpochEnded) {
	line := fmt.Sprintf("epoch %3d/%d  loss %.4f", e.Number, e.Epochs, e.Loss)
	if e.ValidationLoss > 0 {
		line += fmt.Sprintf("  validation loss %.4f  accuracy %.4f", e.ValidationLoss, e.ValidationAccuracy)
		if e.Best {
			line += "  *"
		}
	}
	fmt.Fprintln(s.lines, line)
}

func (s *show) cuts(e train.CutsTried) {
	fmt.Fprintf(s.lines, "\nheads on each cut, judged by images held out of %d:\n", e.Images)
	var rows [][]string
	for _, c := range e.Candidates {
		chosen := ""
		if c.Chosen {
			chosen = "chosen"
		}
		rows = append(rows, []string{c.Cut.String(), strconv.Itoa(c.Width),
			strconv.FormatFloat(c.Loss, 'f', 4, 64), strconv.FormatFloat(c.Accuracy, 'f', 4, 64), chosen})
	}
	_ = printTable(s.lines, []string{"cut", "width", "loss", "accuracy", ""}, rows)
	fmt.Fprintln(s.lines)
}

// end takes away the bar that is shown.
func (s *show) end() {
	if s.bar != nil {
		s.bar.Abort(true)
		s.bar.Wait()
		s.bar = nil
	}
}
