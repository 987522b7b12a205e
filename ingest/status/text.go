package status

import (
	"fmt"
	"io"
	"time"

	"tkit/internal/present"
	"tkit/internal/printable"
)

// A Table is the status of some pipelines.
type Table []Status

// WriteText writes a row for each pipeline, and below it what is down and why the last run
// failed.
func (t Table) WriteText(w io.Writer) error {
	if len(t) == 0 {
		_, err := printable.Fprintf(w, "no pipeline has run with this home\n")
		return err
	}
	err := present.Rows(w, []string{"pipeline", "state", "delivered", "dead", "failed attempts", "in flight", "waiting", "updated"}, t, Status.row)
	for _, s := range t {
		for _, o := range s.down() {
			if err == nil {
				_, err = printable.Fprintf(w, "%s: %s is down since %s: %s\n", s.name(), o.Component, present.Time(o.Since), o.Cause)
			}
		}
		if err == nil && s.Failure != nil {
			_, err = printable.Fprintf(w, "%s: last failure at %s in %s, of %s: %s\n", s.name(), present.Time(s.Failure.Time), s.Failure.Stage, s.Failure.Source, s.Failure.Cause)
		}
		if err == nil && s.Error != "" && !s.Running {
			_, err = printable.Fprintf(w, "%s: the last run ended with the error: %s\n", s.name(), s.Error)
		}
	}
	return err
}

// down returns what is down for a run in progress.
func (s Status) down() []Outage {
	if !s.Running {
		return nil
	}
	return s.Down
}

// name names the pipeline, and the process if there are several.
func (s Status) name() string {
	if s.Process > 1 {
		return fmt.Sprintf("%s, process %d", s.Pipeline, s.Process)
	}
	return s.Pipeline
}

func (s Status) row() []string {
	return []string{
		s.name(), s.State(), fmt.Sprint(s.Delivered), fmt.Sprint(s.Dead), fmt.Sprint(s.FailedAttempts), fmt.Sprint(s.InFlight),
		fmt.Sprint(s.Waiting), present.Time(s.Updated),
	}
}

// stale is the age of the status of a run in progress from which on it does not keep it
// up to date.
const stale = 30 * time.Second

// ended is the state of a pipeline whose last run ended as it should.
const ended = "ended"

// State says whether the pipeline runs: "running", "ended", "failed", "killed" when the
// last run ended without saying so, or "stuck" when a run does not keep its status.
func (s Status) State() string {
	switch {
	case s.Running && time.Since(s.Updated) > stale:
		return "stuck"
	case s.Running:
		return "running"
	case s.Error != "":
		return "failed"
	case !s.Ended:
		return "killed"
	}
	return ended
}

// Line is the status of a run in progress in one line, for a terminal.
func (s Status) Line(perSecond float64) string {
	line := fmt.Sprintf("%d delivered, %.1f images/s, %d in flight, %d waiting", s.Delivered, perSecond, s.InFlight, s.Waiting)
	if s.Dead > 0 {
		line += fmt.Sprintf(", %d dead letters", s.Dead)
	}
	for _, o := range s.Down {
		line += fmt.Sprintf("; %s is down for %s", o.Component, s.Updated.Sub(o.Since).Round(time.Second))
	}
	if len(s.Down) == 0 && s.Failure != nil && time.Since(s.Failure.Time) < stale {
		line += fmt.Sprintf("; %s failed: %s", s.Failure.Stage, s.Failure.Cause)
	}
	return line
}
