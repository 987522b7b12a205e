package preprocessing

import (
	"fmt"
	"strings"
)

// String describes the steps in one line, such as "decode RGB, resize 224×224
// bilinear, normalise caffe".
func (p Preprocessing) String() string {
	words := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}

// String describes the step in a few words.
func (s Step) String() string {
	switch {
	case s.Decode != nil:
		return s.Decode.describe()
	case s.Resize != nil:
		return s.Resize.describe()
	case s.Crop != nil:
		return fmt.Sprintf("crop %d×%d", s.Crop.Height, s.Crop.Width)
	case s.TenCrop != nil:
		return fmt.Sprintf("ten crops of %d×%d", s.TenCrop.Height, s.TenCrop.Width)
	case s.Pad != nil:
		return fmt.Sprintf("pad to %d×%d with %d", s.Pad.Height, s.Pad.Width, s.Pad.Value)
	case s.Grey != nil:
		return fmt.Sprintf("grey in %d channels", s.Grey.Channels)
	case s.Normalise != nil:
		return s.Normalise.describe()
	case s.Plugin != nil:
		return "plugin " + s.Plugin.String()
	}
	return "nothing"
}

func (d Decode) describe() string {
	text := fmt.Sprintf("decode %d channels", d.Channels)
	switch d.Channels {
	case 1:
		text = "decode grey"
	case 3:
		text = "decode RGB"
	}
	if d.JPEGScale {
		text += " scaled"
	}
	if d.Orientation {
		text += " oriented"
	}
	if d.Bits > 0 {
		text += fmt.Sprintf(" with %d bits", d.Bits)
	}
	if len(d.Background) > 0 {
		text += fmt.Sprintf(" over %v", d.Background)
	}
	return text
}

func (r Resize) describe() string {
	text := fmt.Sprintf("resize %d×%d %s", r.Height, r.Width, r.Kernel)
	if r.Keep != "" {
		text = fmt.Sprintf("resize %s side to %d×%d %s", r.Keep, r.Height, r.Width, r.Kernel)
	}
	if r.Antialias {
		text += " antialiased"
	}
	return text
}

func (n Normalise) describe() string {
	switch n.Mode {
	case Range:
		return fmt.Sprintf("normalise to the range %g to %g", n.Low, n.High)
	case Standard:
		return fmt.Sprintf("normalise by the means %v and deviations %v", n.Mean, n.Deviation)
	}
	return "normalise " + n.Mode
}
