package pictures

import (
	"errors"
	"fmt"

	"tkit/datasets"
)

// LookAlikes selects what to do about similar images. "" means Warn.
type LookAlikes string

// The choices for similar images.
const (
	Warn     LookAlikes = "warn"     // warn if a split separates them
	Together LookAlikes = "together" // keep them on one side of a split
	Ignore   LookAlikes = "ignore"   // skip the comparison, which is faster
)

// ErrLookAlikes is wrapped by the errors of Check and Look.
var ErrLookAlikes = errors.New("look-alikes")

// Check refuses a choice that is unknown, or impossible with a split, and a split that
// is impossible.
func (l LookAlikes) Check(f datasets.Fractions) error {
	switch {
	case l != "" && l != Warn && l != Together && l != Ignore:
		return fmt.Errorf("%w: %q: want %s, %s or %s", ErrLookAlikes, string(l), Warn, Together, Ignore)
	case l == Together && f.TrainPerClass > 0:
		return fmt.Errorf("%w: they cannot be kept together with a fixed number of images per class: split by parts of the images instead", ErrLookAlikes)
	}
	return f.Validate()
}

// Look returns the function to find similar images, or nil if they are ignored.
// The caller calls end after the last image.
func (l LookAlikes) Look(f datasets.Fractions) (look datasets.Look, end func() error, err error) {
	if err := l.Check(f); err != nil {
		return nil, nil, err
	}
	if l == Ignore {
		return nil, func() error { return nil }, nil
	}
	p, err := NewPrinter()
	if err != nil {
		return nil, nil, err
	}
	return p.Print, p.Close, nil
}
