package pictures

import (
	"errors"
	"fmt"

	"tkit/datasets"
)

// LookAlikes says what becomes of images that look alike. "" is Warn.
type LookAlikes string

// What becomes of images that look alike.
const (
	Warn     LookAlikes = "warn"     // warn where a split separates them
	Together LookAlikes = "together" // keep them on one side of a split
	Ignore   LookAlikes = "ignore"   // do not look for them, which is faster
)

// ErrLookAlikes is wrapped by the errors of Look.
var ErrLookAlikes = errors.New("look-alikes")

// Look returns how to look for images that look alike; it is nil where they are
// ignored. The caller calls end after the last look.
func (l LookAlikes) Look(f datasets.Fractions) (look datasets.Look, end func() error, err error) {
	switch {
	case l == Ignore:
		return nil, func() error { return nil }, nil
	case l != "" && l != Warn && l != Together:
		return nil, nil, fmt.Errorf("%w: %q: want %s, %s or %s", ErrLookAlikes, string(l), Warn, Together, Ignore)
	case l == Together && f.TrainPerClass > 0:
		return nil, nil, fmt.Errorf("%w: they cannot be kept together with a fixed number of images per class: split by parts of the images instead", ErrLookAlikes)
	}
	p, err := NewPrinter()
	if err != nil {
		return nil, nil, err
	}
	return p.Print, p.Close, nil
}
