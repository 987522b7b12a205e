package datasets

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
	"tkit/internal/raster"
)

// Details counts, among the complete images of a dataset, properties beyond 8
// bits of opaque colour in upright order, which a preprocessing may or may not
// use.
type Details struct {
	// Images is the number of images examined.
	Images int `json:"images"`
	// Turned counts images whose EXIF orientation is not upright.
	Turned Tally `json:"turned,omitzero"`
	// Animated counts images with several frames, of which the first is used.
	Animated Tally `json:"animated,omitzero"`
	// Deep counts images with 16 bits per sample; Greatest is the greatest
	// sample in any of them. Faint counts those whose samples are all in the
	// lowest quarter of the range, such as those of a 12-bit camera.
	Deep     Tally `json:"deep,omitzero"`
	Faint    Tally `json:"faint,omitzero"`
	Greatest int   `json:"greatest,omitempty"`
	// Transparent counts images with pixels that are not opaque. Shapes counts
	// those among them whose picture is only in the alpha channel; Light counts
	// those of a light colour, the others are dark.
	Transparent Tally `json:"transparent,omitzero"`
	Shapes      Tally `json:"shapes,omitzero"`
	Light       int   `json:"light,omitempty"`
	// Decode is the decode step that the images are for; nil if unknown.
	Decode *preprocessing.Decode `json:"decode,omitempty"`
}

// Tally is a number of images and the key of the first one.
type Tally struct {
	Images  int    `json:"images"`
	Example string `json:"example,omitempty"`
}

func (t *Tally) add(key string) {
	if t.Images++; t.Images == 1 {
		t.Example = strings.Clone(key) // key may be part of a larger string
	}
}

// Add examines one more image, which is complete and within the bounds of its
// decoder. It is decoded if its headers say that it has 16 bits per sample or
// may be transparent.
func (d *Details) Add(key string, encoded []byte) {
	image := detail{header: preprocessing.DetailsOf(encoded)}
	if image.decodes() {
		image.measure(encoded)
	}
	d.add(key, image)
}

// detail holds the properties of one image.
type detail struct {
	header  preprocessing.Details
	content raster.Content
}

// decodes reports whether the image must be decoded.
func (d *detail) decodes() bool { return d.header.Deep || d.header.Alpha }

// measure decodes the image. Decoding errors are reported elsewhere.
func (d *detail) measure(encoded []byte) {
	format, _, _, err := preprocessing.Sniff(encoded)
	if err != nil {
		return
	}
	if m, err := raster.Decode(format, encoded); err == nil {
		d.content = raster.ContentOf(m)
	}
}

// faint is the smallest sample above the lowest quarter of 16 bits.
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

// unnamed returns d without keys.
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

// facts returns the properties independent of the preprocessing.
func (d *Details) facts(count func(int) string) (facts []Fact) {
	add := func(name string, t Tally, format string, values ...any) {
		if t.Images > 0 {
			facts = append(facts, Fact{name, count(t.Images) + " " + fmt.Sprintf(format, values...)})
		}
	}
	add("turned", d.Turned, "by their EXIF orientation, if the decode step has orientation: true")
	add("16-bit", d.Deep, "with 16 bits per sample, none above %d; the upper 8 are used unless the decode step has bits", d.Greatest)
	add("alpha", d.Transparent, "with transparent parts, which are dropped unless the decode step has background")
	add("frames", d.Animated, "with several frames, of which the first is used")
	return facts
}

// Warnings returns a sentence for each property of the images that the
// preprocessing ignores, or would ignore with default options.
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
		warn(d.Turned, "are not upright unless turned by their EXIF orientation, which the preprocessing ignores: "+
			"set orientation: true in its decode step")
	}
	if d.Faint.Images > 0 && 2*d.Faint.Images >= d.Deep.Images && decode.Bits == 0 {
		warn(d.Faint, "have 16 bits per sample but use only the lower %d, so the upper 8 bits, which are kept, are nearly black: "+
			"set bits: %d in the decode step of the preprocessing", bits.Len(faint-1), d.bits())
	}
	if lost := d.lostShapes(decode); lost > 0 {
		warn(Tally{lost, d.Shapes.Example}, "have their picture only in the transparency (alpha) and are blank without it: "+
			"set background: %s in the decode step of the preprocessing to make it visible", d.background(decode.Channels))
	}
	if d.Animated.Images > 0 {
		warn(d.Animated, "have several frames, of which only the first is used")
	}
	return warnings
}

// bits returns enough bits for all samples, rounded up to an even number as in
// cameras.
func (d *Details) bits() int {
	return max(8, (bits.Len(uint(d.Greatest))+1)/2*2)
}

// lostShapes returns how many shapes the decode step makes invisible: all
// without a background, else those of the same tone.
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

// background returns a colour on which all shapes are visible: white behind
// dark ones, black behind light ones, grey behind both.
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
