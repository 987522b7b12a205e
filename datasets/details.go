package datasets

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
	"tkit/internal/raster"
)

// Details says what the complete images of a dataset hold beyond 8 bits of opaque
// colour in the order of the file, which a preprocessing may or may not use.
type Details struct {
	// Images is how many images were looked at.
	Images int `json:"images"`
	// Turned are those that are upright only when turned as their EXIF
	// orientation says.
	Turned Tally `json:"turned,omitzero"`
	// Animated are those of several frames, of which the first is used.
	Animated Tally `json:"animated,omitzero"`
	// Deep are those of 16 bits a sample; Greatest is the greatest sample in any
	// of them, and Faint are those whose samples all lie in the lowest quarter of
	// the range, as a camera of 12 bits leaves them.
	Deep     Tally `json:"deep,omitzero"`
	Faint    Tally `json:"faint,omitzero"`
	Greatest int   `json:"greatest,omitempty"`
	// Transparent are those with pixels that are not opaque. Shapes are those
	// among them whose picture is in their alpha alone; Light is how many of
	// these are of a light colour, and the others of a dark one.
	Transparent Tally `json:"transparent,omitzero"`
	Shapes      Tally `json:"shapes,omitzero"`
	Light       int   `json:"light,omitempty"`
	// Decode is the step that the images are for; nil if it is not known.
	Decode *preprocessing.Decode `json:"decode,omitempty"`
}

// Tally is a number of images and the key of the first.
type Tally struct {
	Images  int    `json:"images"`
	Example string `json:"example,omitempty"`
}

func (t *Tally) add(key string) {
	if t.Images++; t.Images == 1 {
		t.Example = strings.Clone(key) // which may be a part of a larger string
	}
}

// Add looks at one more image, which is complete and within the bounds of its
// decoder. Where its headers say that it has 16 bits a sample or may be
// transparent it is decoded.
func (d *Details) Add(key string, encoded []byte) {
	image := detail{header: preprocessing.DetailsOf(encoded)}
	if image.decodes() {
		image.measure(encoded)
	}
	d.add(key, image)
}

// detail is what one image has.
type detail struct {
	header  preprocessing.Details
	content raster.Content
}

// decodes says whether only the pixels tell.
func (d *detail) decodes() bool { return d.header.Deep || d.header.Alpha }

// measure decodes the image. What does not decode is for others to refuse.
func (d *detail) measure(encoded []byte) {
	format, _, _, err := preprocessing.Sniff(encoded)
	if err != nil {
		return
	}
	if m, err := raster.Decode(format, encoded); err == nil {
		d.content = raster.ContentOf(m)
	}
}

// faint is the first sample above the lowest quarter of 16 bits.
const faint = 1 << 14

func (d *Details) add(key string, image detail) {
	d.Images++
	if image.header.Orientation != preprocessing.Upright {
		d.Turned.add(key)
	}
	if image.header.Animated {
		d.Animated.add(key)
	}
	if image.header.Deep {
		d.Deep.add(key)
		d.Greatest = max(d.Greatest, int(image.content.Greatest))
		if image.content.Greatest > 0 && image.content.Greatest < faint {
			d.Faint.add(key)
		}
	}
	if image.content.Transparent {
		d.Transparent.add(key)
	}
	if image.content.Shape {
		d.Shapes.add(key)
		if image.content.Light {
			d.Light++
		}
	}
}

// unnamed is d without keys.
func (d *Details) unnamed() *Details {
	if d == nil {
		return nil
	}
	n := *d
	for _, t := range []*Tally{&n.Turned, &n.Animated, &n.Deep, &n.Faint, &n.Transparent, &n.Shapes} {
		t.Example = ""
	}
	return &n
}

// facts are what there is to say whatever the preprocessing is.
func (d *Details) facts(count func(int) string) (facts []Fact) {
	add := func(name string, t Tally, format string, values ...any) {
		if t.Images > 0 {
			facts = append(facts, Fact{name, count(t.Images) + " " + fmt.Sprintf(format, values...)})
		}
	}
	add("turned", d.Turned, "by their EXIF orientation, if the decode step says orientation: true")
	add("16-bit", d.Deep, "of 16 bits a sample, none above %d; the upper 8 are used unless the decode step says bits", d.Greatest)
	add("alpha", d.Transparent, "with transparent parts, which are dropped unless the decode step says background")
	add("frames", d.Animated, "with several frames, of which the first is used")
	return facts
}

// Warnings says what the preprocessing leaves unused of the images, or would
// leave unused without options, a sentence each.
func (d *Details) Warnings() (warnings []string) {
	if d == nil {
		return nil
	}
	decode := preprocessing.Decode{Channels: 3}
	if d.Decode != nil {
		decode = *d.Decode
	}
	warn := func(t Tally, format string, values ...any) {
		which := fmt.Sprintf("%d of %s", t.Images, plural(d.Images, "image"))
		if t.Example != "" {
			which += ", such as " + t.Example + ","
		}
		warnings = append(warnings, which+" "+fmt.Sprintf(format, values...))
	}
	if d.Turned.Images > 0 && d.Decode != nil && !decode.Orientation {
		warn(d.Turned, "are upright only when turned by their EXIF orientation, which the preprocessing does not do: "+
			"orientation: true in its decode step does")
	}
	if d.Faint.Images > 0 && 2*d.Faint.Images >= d.Deep.Images && decode.Bits == 0 {
		warn(d.Faint, "have 16 bits a sample and use no more than the lower %d, so that the 8 bits that are kept are nearly black: "+
			"bits: %d in the decode step of the preprocessing uses all", bits.Len(faint-1), d.bits())
	}
	if lost := d.lostShapes(decode); lost > 0 {
		warn(Tally{lost, d.Shapes.Example}, "have their picture in the transparency (alpha) alone, and show nothing without it: "+
			"background: %s in the decode step of the preprocessing puts them over a colour that shows them", d.background(decode.Channels))
	}
	if d.Animated.Images > 0 {
		warn(d.Animated, "have several frames, of which only the first is used")
	}
	return warnings
}

// bits are enough for all samples, by twos as cameras have them.
func (d *Details) bits() int {
	return max(8, (bits.Len(uint(d.Greatest))+1)/2*2)
}

// lostShapes is how many shapes the decode step leaves invisible: all without a
// background, else those of the same tone.
func (d *Details) lostShapes(decode preprocessing.Decode) int {
	if len(decode.Background) == 0 {
		return d.Shapes.Images
	}
	sum := 0
	for _, level := range decode.Background {
		sum += level
	}
	if sum > 127*len(decode.Background) {
		return d.Light
	}
	return d.Shapes.Images - d.Light
}

// background is a colour that shows all shapes: white behind dark ones, black
// behind light ones, grey behind both.
func (d *Details) background(channels int) string {
	level := "128"
	switch d.Light {
	case 0:
		level = "255"
	case d.Shapes.Images:
		level = "0"
	}
	return "[" + strings.Join(slices.Repeat([]string{level}, channels), ", ") + "]"
}
