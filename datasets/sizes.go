package datasets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
)

// Sizes describes the sizes of all complete images of a dataset, including
// those with conflicting labels.
type Sizes struct {
	// Formats are in descending order of count.
	Formats []FormatCount `json:"formats"`
	Bytes   Spread        `json:"bytes"`  // by file length
	Pixels  Spread        `json:"pixels"` // by width × height
	// Small counts images less than SmallSide pixels wide or high, Elongated
	// those with one side at least ElongatedBy times the other.
	Small     int `json:"small,omitempty"`
	Elongated int `json:"elongated,omitempty"`
}

// Thresholds for unusual images. A network's input of 224 pixels is seven times
// SmallSide: such an image is mostly interpolation.
const (
	SmallSide   = 32
	ElongatedBy = 4
)

// FormatCount is one format and its images.
type FormatCount struct {
	Format preprocessing.Format `json:"format"`
	Images int                  `json:"images"`
}

// Spread is the smallest, the median and the largest image by one measure. For
// an even number the median is the lower one.
type Spread struct {
	Smallest Measured `json:"smallest"`
	Median   Measured `json:"median"`
	Largest  Measured `json:"largest"`
}

// Measured is an image's measure: its bytes or its pixels. The median has no
// key.
type Measured struct {
	Key    string `json:"key,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// Pixels returns width × height as text.
func (m Measured) Pixels() string { return fmt.Sprintf("%d×%d", m.Width, m.Height) }

func (m Measured) pixels() int64 { return int64(m.Width) * int64(m.Height) }

// A Fact is a property of the images, as text.
type Fact struct{ Name, Text string }

// Facts returns the properties of the images for the table and the page. count
// formats a number of images.
func (r *Report) Facts(count func(int) string) []Fact {
	var facts []Fact
	if r.Sizes != nil {
		facts = r.Sizes.facts(count)
	}
	if r.Details != nil {
		facts = append(facts, r.Details.facts(count)...)
	}
	return facts
}

func (s *Sizes) facts(count func(int) string) []Fact {
	formats := make([]string, len(s.Formats))
	for i, f := range s.Formats {
		formats[i] = count(f.Images) + " " + string(f.Format)
	}
	facts := []Fact{
		{"formats", strings.Join(formats, ", ")},
		{"pixels", spread(s.Pixels, Measured.Pixels)},
		{"file size", spread(s.Bytes, func(m Measured) string { return Bytes(m.Bytes) })},
	}
	if s.Small > 0 {
		facts = append(facts, Fact{"small", fmt.Sprintf("%s below %d pixels wide or high", count(s.Small), SmallSide)})
	}
	if s.Elongated > 0 {
		facts = append(facts, Fact{"elongated", fmt.Sprintf("%s with one side %d or more times the other", count(s.Elongated), ElongatedBy)})
	}
	return facts
}

// spread describes a Spread as a range with its median.
func spread(s Spread, text func(Measured) string) string {
	least, most := text(s.Smallest), text(s.Largest)
	if least == most {
		return least
	}
	return fmt.Sprintf("%s to %s, median %s", least, most, text(s.Median))
}

// measuring collects Sizes, with sixteen bytes per image.
type measuring struct {
	formats          map[preprocessing.Format]int
	bytes, pixels    Spread // without medians
	lengths, shapes  []int64
	small, elongated int
}

// add adds an image of positive width and height.
func (m *measuring) add(image Measured, format preprocessing.Format) {
	if m.formats == nil {
		m.formats = make(map[preprocessing.Format]int)
		m.bytes, m.pixels = Spread{Smallest: image, Largest: image}, Spread{Smallest: image, Largest: image}
	}
	m.formats[format]++
	m.bytes.widen(image, func(a Measured) int64 { return a.Bytes })
	m.pixels.widen(image, Measured.pixels)
	m.lengths = append(m.lengths, image.Bytes)
	m.shapes = append(m.shapes, int64(image.Width)<<32|int64(image.Height))
	short, long := min(image.Width, image.Height), max(image.Width, image.Height)
	if short < SmallSide {
		m.small++
	}
	if long >= ElongatedBy*short {
		m.elongated++
	}
}

func (s *Spread) widen(image Measured, by func(Measured) int64) {
	if by(image) < by(s.Smallest) {
		s.Smallest = image
	}
	if by(image) > by(s.Largest) {
		s.Largest = image
	}
}

// sizes returns nil if nothing was measured.
func (m *measuring) sizes() *Sizes {
	n := len(m.shapes)
	if n == 0 {
		return nil
	}
	s := &Sizes{Bytes: m.bytes, Pixels: m.pixels, Small: m.small, Elongated: m.elongated}
	for f, count := range m.formats {
		s.Formats = append(s.Formats, FormatCount{f, count})
	}
	slices.SortFunc(s.Formats, func(a, b FormatCount) int {
		return cmp.Or(cmp.Compare(b.Images, a.Images), cmp.Compare(a.Format, b.Format))
	})
	slices.Sort(m.lengths)
	s.Bytes.Median.Bytes = m.lengths[(n-1)/2]
	side := func(shape int64) Measured { return Measured{Width: int(shape >> 32), Height: int(shape & (1<<32 - 1))} }
	slices.SortFunc(m.shapes, func(a, b int64) int { return cmp.Compare(side(a).pixels(), side(b).pixels()) })
	s.Pixels.Median = side(m.shapes[(n-1)/2])
	return s
}
