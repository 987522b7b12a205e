package preprocessing

import (
	"errors"
	"fmt"
)

// maxSide bounds a resize or crop, far above what any network takes, so that
// a description read from a file cannot ask for an absurd allocation.
const maxSide = 8192

// Validate says whether the steps can be followed: each is well formed, and
// together they lead from bytes to a tensor of known shape. The error names
// the step by its place, counted from 1, and by its kind.
func (p Preprocessing) Validate() error {
	if len(p.Steps) == 0 {
		return errors.New("preprocessing has no steps: the first must be a decode, the last a normalise")
	}
	v := validation{last: len(p.Steps) - 1}
	for i, s := range p.Steps {
		kind, err := s.kind()
		if err == nil {
			err = v.step(i, s)
		}
		if err != nil {
			return fmt.Errorf("preprocessing step %d (%s): %w", i+1, kind, err)
		}
	}
	return nil
}

// kind is the key of the one member that is set.
func (s Step) kind() (string, error) {
	kind, n := "empty", 0
	for _, m := range []struct {
		set  bool
		name string
	}{
		{s.Decode != nil, "decode"},
		{s.Resize != nil, "resize"},
		{s.Crop != nil, "crop"},
		{s.Normalise != nil, "normalise"},
	} {
		if m.set {
			if n == 0 {
				kind = m.name
			} else {
				kind += ", " + m.name
			}
			n++
		}
	}
	if n != 1 {
		return kind, errors.New("a step has exactly one of decode, resize, crop and normalise")
	}
	return kind, nil
}

// validation is what is known of the image after the steps so far.
type validation struct {
	last          int
	channels      int
	scaled        bool // the decode scales JPEGs and so needs a resize
	height, width int  // zero until a resize
	overhangs     bool // one side may be longer than height or width says
}

func (v *validation) step(i int, s Step) error {
	if (i == 0) != (s.Decode != nil) {
		if i == 0 {
			return errors.New("the first step must be a decode")
		}
		return errors.New("only the first step is a decode")
	}
	switch {
	case s.Decode != nil:
		return v.decode(*s.Decode)
	case s.Resize != nil:
		return v.resize(i, *s.Resize)
	case s.Crop != nil:
		return v.crop(i, *s.Crop)
	default:
		return v.normalise(i, *s.Normalise)
	}
}

func (v *validation) decode(d Decode) error {
	if d.Channels != 1 && d.Channels != 3 {
		return fmt.Errorf("channels is %d: it must be 1 (grey) or 3 (RGB)", d.Channels)
	}
	if d.MaxPixels < 0 {
		return fmt.Errorf("max_pixels is %d: it must not be negative", d.MaxPixels)
	}
	if v.last == 0 {
		return errors.New("nothing follows it: the last step must be a normalise")
	}
	v.channels, v.scaled = d.Channels, d.JPEGScale
	return nil
}

func (v *validation) resize(i int, r Resize) error {
	if err := sides(r.Height, r.Width); err != nil {
		return err
	}
	switch r.Kernel {
	case Bilinear, Nearest, Bicubic, Area:
	default:
		return fmt.Errorf("kernel is %q: it must be %s, %s, %s or %s", r.Kernel, Bilinear, Nearest, Bicubic, Area)
	}
	if r.Antialias && (r.Kernel == Nearest || r.Kernel == Area) {
		return fmt.Errorf("antialias has no meaning with the kernel %s", r.Kernel)
	}
	switch r.Keep {
	case "", KeepShorter:
	default:
		return fmt.Errorf("keep is %q: it must be empty or %s", r.Keep, KeepShorter)
	}
	v.height, v.width, v.overhangs = r.Height, r.Width, r.Keep == KeepShorter
	return v.mayEnd(i)
}

func (v *validation) crop(i int, c Crop) error {
	if err := sides(c.Height, c.Width); err != nil {
		return err
	}
	if v.height == 0 {
		return errors.New("the size of the image is not known here: put a resize before it")
	}
	if c.Height > v.height || c.Width > v.width {
		return fmt.Errorf("%d×%d is larger than the image, %d×%d", c.Height, c.Width, v.height, v.width)
	}
	v.height, v.width, v.overhangs = c.Height, c.Width, false
	return v.mayEnd(i)
}

// mayEnd refuses to end on anything but a normalise.
func (v *validation) mayEnd(i int) error {
	if i == v.last {
		return fmt.Errorf("the last step must be a normalise (mode %s leaves the values as they are)", None)
	}
	return nil
}

func (v *validation) normalise(i int, n Normalise) error {
	switch n.Mode {
	case Caffe, Torch:
		if v.channels != 3 {
			return fmt.Errorf("mode %s needs 3 channels, the decode gives %d", n.Mode, v.channels)
		}
	case TF, Unit, None:
	default:
		return fmt.Errorf("mode is %q: it must be %s, %s, %s, %s or %s", n.Mode, Caffe, TF, Torch, Unit, None)
	}
	switch {
	case i != v.last:
		return errors.New("it must be the last step")
	case v.height == 0 && v.scaled:
		return errors.New("the decode has jpeg_scale, which needs a resize to scale for")
	case v.height == 0:
		return errors.New("the size of the result is not known: put a resize before it")
	case v.overhangs:
		return errors.New("the resize keeps the aspect, so one side varies: put a crop before it")
	}
	return nil
}

func sides(h, w int) error {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return fmt.Errorf("%d×%d is no size: height and width must be from 1 to %d", h, w, maxSide)
	}
	return nil
}
