package commandline

import (
	"time"

	"tkit/internal/timespan"
)

// A Duration is the value of a [cli.GenericFlag] for a duration, which may be in days.
// [cli.Context.Duration] returns it.
type Duration time.Duration

// NewDuration returns a value for a flag with a default.
func NewDuration(d time.Duration) *Duration { return (*Duration)(&d) }

// Set implements [cli.Generic].
func (d *Duration) Set(text string) error {
	parsed, err := timespan.Parse(text)
	if err == nil {
		*d = Duration(parsed)
	}
	return err
}

// String implements [cli.Generic].
func (d *Duration) String() string { return time.Duration(*d).String() }

// Get implements [flag.Getter].
func (d *Duration) Get() any { return time.Duration(*d) }
