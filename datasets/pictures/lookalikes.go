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

// ErrLookAlikes is wrapped by the errors of Look.
var ErrLookAlikes = errors.New("look-alikes")

// Look returns the function to find similar images, or nil if they are ignored.
// The caller calls end after the last image.
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
