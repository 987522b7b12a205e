package preprocessing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxSide bounds a resize or crop, far above what any network takes, so that a
// description cannot request an excessive allocation.
const maxSide = 8192

// Validate checks that each step is valid and that together they lead from
// bytes to a tensor of known shape. The error names the step by its number,
// counted from 1, and its kind.
func (p Preprocessing) Validate() error {
	_, err := p.follow()
	return err
}

// follow applies the steps in order and returns what is known at the end.
func (p Preprocessing) follow() (progress, error) {
	g := p.beginning()
	if len(p.Steps) == 0 {
		return g, errors.New("preprocessing has no steps: the first must be a decode, the last a normalise")
	}
	for i, s := range p.Steps {
		kind, err := s.key()
		if err == nil {
			err = g.step(i, s)
		}
		if err != nil {
			return g, fmt.Errorf("preprocessing step %d (%s): %w", i+1, kind, err)
		}
	}
	return g, nil
}

func (p Preprocessing) beginning() progress {
	return progress{kind: Encoded, last: len(p.Steps) - 1}
}

// key returns the key of the one field that is set.
func (s Step) key() (string, error) {
	var set []string
	for _, k := range kinds {
		if k.set(s) {
			set = append(set, k.key)
		}
	}
	switch len(set) {
	case 1:
		return set[0], nil
	case 0:
		set = []string{"empty"}
	}
	return strings.Join(set, ", "), fmt.Errorf("a step has exactly one of %s", choice(keys()))
}

// keys lists the kinds of steps.
func keys() []string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.key)
	}
	return all
}

// choice returns "a, b or c".
func choice(words []string) string {
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// progress is what is known about the image after the steps so far.
type progress struct {
	last       int
	kind       Kind // Encoded until something decodes
	channels   int
	scaled     bool // the decode scales JPEGs and so needs a resize
	height     int  // zero until a resize
	width      int
	keeps      string // the resize keeps the aspect ratio: one side may differ from height or width
	normalised bool
	views      bool // a ten_crop has been made
}

func (g *progress) step(i int, s Step) error {
	if s.Plugin == nil && s.Decode == nil && g.kind == Encoded {
		return errors.New("the first step must be a decode, or plugins that decode or precede a decode")
	}
	switch {
	case s.Plugin != nil:
		return g.plugin(i, *s.Plugin)
	case s.Decode != nil:
		return g.decode(i, *s.Decode)
	case g.normalised:
		return errors.New("only plugins may follow the normalise")
	case g.views && s.Normalise == nil:
		return errors.New("only a normalise may follow the ten_crop")
	}
	switch {
	case s.Resize != nil:
		return g.resize(i, *s.Resize)
	case s.Crop != nil:
		return g.crop(i, s.Crop.Height, s.Crop.Width)
	case s.TenCrop != nil:
		g.views = true
		return g.crop(i, s.TenCrop.Height, s.TenCrop.Width)
	case s.Pad != nil:
		return g.pad(i, *s.Pad)
	case s.Grey != nil:
		return g.grey(i, *s.Grey)
	default:
		return g.normalise(*s.Normalise)
	}
}

func (g *progress) decode(i int, d Decode) error {
	if g.kind != Encoded {
		return errors.New("only the first step that is not a plugin may be a decode")
	}
	if d.Channels != 1 && d.Channels != 3 {
		return fmt.Errorf("channels is %d: it must be 1 (grey) or 3 (RGB)", d.Channels)
	}
	if d.MaxPixels < 0 {
		return fmt.Errorf("max_pixels is %d: it must not be negative", d.MaxPixels)
	}
	if d.Bits != 0 && (d.Bits < 8 || d.Bits > 16) {
		return fmt.Errorf("bits is %d: it must be from 8 to 16", d.Bits)
	}
	if n := len(d.Background); n != 0 && n != d.Channels {
		return fmt.Errorf("background has %d levels: it needs one per channel, %d", n, d.Channels)
	}
	for _, level := range d.Background {
		if level < 0 || level > 255 {
			return fmt.Errorf("background has the level %d: it must be from 0 to 255", level)
		}
	}
	g.kind, g.channels, g.scaled = Uint8, d.Channels, d.JPEGScale
	if d.Bits > 0 {
		g.kind = Float32
	}
	if i == g.last {
		return errors.New("nothing follows it: the last step must be a normalise")
	}
	return nil
}

func (g *progress) resize(i int, r Resize) error {
	if err := sides(r.Height, r.Width); err != nil {
		return err
	}
	if !slices.Contains(Kernels(), r.Kernel) {
		return fmt.Errorf("kernel is %q: it must be %s", r.Kernel, choice(Kernels()))
	}
	if r.Antialias && (r.Kernel == Nearest || r.Kernel == Area) {
		return fmt.Errorf("antialias has no effect with the kernel %s", r.Kernel)
	}
	switch r.Keep {
	case "", KeepShorter, KeepLonger:
	default:
		return fmt.Errorf("keep is %q: it must be empty, %s or %s", r.Keep, KeepShorter, KeepLonger)
	}
	if r.Kernel != Nearest {
		g.kind = Float32
	}
	g.height, g.width, g.keeps, g.scaled = r.Height, r.Width, r.Keep, false
	return g.mayEnd(i)
}

func (g *progress) crop(i, height, width int) error {
	if err := sides(height, width); err != nil {
		return err
	}
	switch {
	case g.height == 0:
		return errors.New("the size of the image is not known here: put a resize before it")
	case g.keeps == KeepLonger:
		return errors.New("the resize keeps the aspect ratio, so one side may be shorter: put a pad before it")
	case height > g.height || width > g.width:
		return fmt.Errorf("%d×%d is larger than the image, %d×%d", height, width, g.height, g.width)
	}
	g.height, g.width, g.keeps = height, width, ""
	return g.mayEnd(i)
}

func (g *progress) pad(i int, p Pad) error {
	if err := sides(p.Height, p.Width); err != nil {
		return err
	}
	switch {
	case p.Value < 0 || p.Value > 255:
		return fmt.Errorf("value is %d: it must be a grey level from 0 to 255", p.Value)
	case g.height == 0:
		return errors.New("the size of the image is not known here: put a resize before it")
	case g.keeps == KeepShorter:
		return errors.New("the resize keeps the aspect ratio, so one side may be longer: put a crop before it")
	case p.Height < g.height || p.Width < g.width:
		return fmt.Errorf("%d×%d is smaller than the image, %d×%d", p.Height, p.Width, g.height, g.width)
	}
	g.height, g.width, g.keeps = p.Height, p.Width, ""
	return g.mayEnd(i)
}

func (g *progress) grey(i int, y Grey) error {
	if g.channels != 3 {
		return fmt.Errorf("the image has %d channel: there is no colour to remove", g.channels)
	}
	if y.Channels != 1 && y.Channels != 3 {
		return fmt.Errorf("channels is %d: it must be 1, or 3 equal ones", y.Channels)
	}
	g.kind, g.channels = Float32, y.Channels
	return g.mayEnd(i)
}

// mayEnd returns an error unless the steps may end here.
func (g *progress) mayEnd(i int) error {
	if i == g.last {
		return fmt.Errorf("the last step must be a normalise (mode %s leaves the values unchanged)", None)
	}
	return nil
}

func (g *progress) normalise(n Normalise) error {
	if err := n.validate(g.channels); err != nil {
		return err
	}
	g.normalised, g.kind = true, Float32
	return g.settled()
}

// settled checks that every image has the same size.
func (g *progress) settled() error {
	switch {
	case g.height == 0 && g.scaled:
		return errors.New("the decode has jpeg_scale, which needs a resize")
	case g.height == 0:
		return errors.New("the size of the result is not known: put a resize before it")
	case g.keeps == KeepShorter:
		return errors.New("the resize keeps the aspect ratio, so one side varies: put a crop before it")
	case g.keeps == KeepLonger:
		return errors.New("the resize keeps the aspect ratio, so one side varies: put a pad before it")
	}
	return nil
}

func (n Normalise) validate(channels int) error {
	switch n.Mode {
	case Caffe, Torch:
		if channels != 3 {
			return fmt.Errorf("mode %s needs 3 channels, not %d", n.Mode, channels)
		}
	case TF, Unit, None:
	case Range:
		if !(n.Low < n.High) || !finite(n.Low) || !finite(n.High) {
			return fmt.Errorf("mode %s goes from low %g to high %g: low must be less than high", Range, n.Low, n.High)
		}
		if !finite(n.High - n.Low) {
			return fmt.Errorf("mode %s goes from low %g to high %g: the difference exceeds float32", Range, n.Low, n.High)
		}
	case Standard:
		if len(n.Mean) != channels || len(n.Deviation) != channels {
			return fmt.Errorf("mode %s has %d means and %d deviations: it needs one per channel, %d", Standard, len(n.Mean), len(n.Deviation), channels)
		}
		for i, d := range n.Deviation {
			if !(d > 0) || !finite(d) || !finite(n.Mean[i]) {
				return fmt.Errorf("mode %s has the mean %g and the deviation %g: a deviation must be above 0", Standard, n.Mean[i], d)
			}
			if !finite(n.Mean[i]/d) || !finite((1-n.Mean[i])/d) {
				return fmt.Errorf("mode %s has the mean %g and the deviation %g: the results would be infinite", Standard, n.Mean[i], d)
			}
		}
	default:
		return fmt.Errorf("mode is %q: it must be %s", n.Mode, choice(modes()))
	}
	if n.Mode != Range && (n.Low != 0 || n.High != 0) {
		return fmt.Errorf("low and high are for the mode %s, not %s", Range, n.Mode)
	}
	if n.Mode != Standard && len(n.Mean)+len(n.Deviation) > 0 {
		return fmt.Errorf("mean and deviation are for the mode %s, not %s", Standard, n.Mode)
	}
	return nil
}

func finite(v float32) bool { return v-v == 0 }

// plugin determines what is known after a plugin.
func (g *progress) plugin(i int, p Plugin) error {
	if err := p.validate(); err != nil {
		return err
	}
	if g.scaled && g.kind != Encoded {
		return errors.New("the decode has jpeg_scale, so the plugin would get images of a different size: put the resize before the plugin, or remove jpeg_scale")
	}
	gives := p.Gives
	was := g.kind
	if gives.Kind != 0 {
		g.kind = gives.Kind
	}
	switch {
	case was == Encoded && g.kind == Encoded:
		if gives != (Gives{Kind: gives.Kind}) {
			return errors.New("it gives encoded bytes, which have no height, width or channels")
		}
	case g.kind == Encoded:
		return errors.New("it follows the decode and cannot give encoded bytes")
	case was == Encoded && gives.Channels == 0:
		return fmt.Errorf("it decodes, so it must declare what it gives: kind and channels")
	case g.normalised && g.kind != Float32:
		return fmt.Errorf("it follows the normalise and must give %s images", Float32)
	case g.keeps != "" && gives.Height == 0:
		return fmt.Errorf("the resize keeps the aspect ratio, so one side varies: put a %s before it", map[string]string{KeepShorter: "crop", KeepLonger: "pad"}[g.keeps])
	}
	if gives.Channels != 0 {
		g.channels = gives.Channels
	}
	switch {
	case gives.Height == Varies:
		g.height, g.width, g.keeps = 0, 0, ""
	case gives.Height != 0:
		g.height, g.width, g.keeps = gives.Height, gives.Width, ""
	}
	switch {
	case g.normalised:
		return g.settled()
	case i == g.last:
		return g.mayEnd(i)
	}
	return nil
}

func sides(h, w int) error {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return fmt.Errorf("%d×%d is not a valid size: height and width must be from 1 to %d", h, w, maxSide)
	}
	return nil
}
