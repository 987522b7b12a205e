package preprocessing

import (
	"fmt"
	"slices"
)

// The bounds on the scans of a JPEG. Every scan makes a pass over all blocks of
// its components, even without data for them, so a few hundred bytes can cause
// a pass over an image of any size. Encoders write about ten scans, at most
// eight of one component.
const (
	// maxScans bounds the scans of one component.
	maxScans = 100
	// maxPasses bounds the samples of all scans together, as a multiple of the
	// image's pixels or, if it is smaller, of DefaultMaxPixels: about two
	// seconds of work.
	maxPasses = 32
	// arithmeticWeight is the cost of a sample with arithmetic coding, relative
	// to Huffman coding.
	arithmeticWeight = 8
)

// checkJPEG checks the whole file.
func checkJPEG(b []byte) error {
	s := segments{b: b, at: 2}
	f, err := s.frame()
	if err != nil {
		return fmt.Errorf("no end of image: %w", err)
	}
	if err := f.check(); err != nil {
		return err
	}
	scans, samples := 0, int64(0)
	for {
		marker, segment, err := s.next()
		if err != nil {
			return fmt.Errorf("no end of image: %w", err)
		}
		switch marker {
		case markerSOS:
			scans++
			passed, err := f.scan(segment)
			if err != nil {
				return err
			}
			if samples += passed; samples > f.mostSamples() {
				return fmt.Errorf("its first %d scans pass over more than %d samples: %w", scans, f.mostSamples(), ErrTooCostly)
			}
		case markerEOI:
			if scans == 0 {
				return fmt.Errorf("no scan before the end of image: %w", ErrTruncated)
			}
			return nil
		}
	}
}

// check reports whether libjpeg can decode the frame.
func (f *frame) check() error {
	switch {
	case !slices.Contains([]byte{markerSOF0, markerSOF1, markerSOF2, markerSOF9, markerSOFa}, f.process):
		return fmt.Errorf("coding process SOF%d (lossless, hierarchical and the like): %w", f.process-markerSOF0, ErrVariant)
	case f.precision != 8:
		return fmt.Errorf("%d bits per sample, only 8 are supported: %w", f.precision, ErrVariant)
	case len(f.components) != 1 && len(f.components) != 3 && len(f.components) != 4:
		return fmt.Errorf("%d components, only 1, 3 or 4 are supported: %w", len(f.components), ErrVariant)
	}
	for _, c := range f.components {
		if c.horizontal < 1 || c.horizontal > 4 || c.vertical < 1 || c.vertical > 4 {
			return fmt.Errorf("sampling factors of %d×%d: %w", c.horizontal, c.vertical, ErrCorrupt)
		}
	}
	return nil
}

// scan counts a scan by its header and returns the samples it covers.
func (f *frame) scan(header []byte) (samples int64, err error) {
	if len(header) < 1 || len(header) < 1+2*int(header[0]) {
		return 0, fmt.Errorf("scan header of %d bytes: %w", len(header), ErrCorrupt)
	}
	for selector := range slices.Chunk(header[1:1+2*int(header[0])], 2) {
		i := slices.IndexFunc(f.components, func(c component) bool { return c.id == selector[0] })
		if i < 0 {
			return 0, fmt.Errorf("a scan of component %d, which the frame does not have: %w", selector[0], ErrCorrupt)
		}
		c := &f.components[i]
		if c.scans++; c.scans > maxScans {
			return 0, fmt.Errorf("more than %d scans of one component: %w", maxScans, ErrTooCostly)
		}
		samples += f.samples(c)
	}
	if f.process == markerSOF9 || f.process == markerSOFa {
		samples *= arithmeticWeight
	}
	return samples, nil
}

// samples returns a component's samples, in whole blocks and units.
func (f *frame) samples(c *component) int64 {
	horizontal, vertical := 1, 1
	for _, c := range f.components {
		horizontal, vertical = max(horizontal, c.horizontal), max(vertical, c.vertical)
	}
	units := func(side, factor int) int64 { return int64((side + 8*factor - 1) / (8 * factor)) }
	return 64 * units(f.width, horizontal) * int64(c.horizontal) * units(f.height, vertical) * int64(c.vertical)
}

func (f *frame) mostSamples() int64 {
	return maxPasses * max(int64(f.width)*int64(f.height), DefaultMaxPixels)
}
