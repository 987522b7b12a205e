// Package preprocessing describes the exact way from image bytes to the input
// tensor of a model, and reads as much of an image file as can be known
// without decoding it.
//
// The description belongs to a model's version: training, serving and
// ingestion all follow the same one, and its digest is part of the key of
// every kept bottleneck. The package is pure Go and decodes nothing;
// internal/inference compiles a description into a graph.
package preprocessing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Preprocessing is the ordered list of steps from the bytes of an encoded
// image to a float32 tensor of height × width × channels.
//
// The first step is a decode, the last a normalise; between them stand the
// resizes and central crops that make the size of the result known.
type Preprocessing struct {
	Steps []Step `json:"steps" yaml:"steps"`
}

// Step is one operation: exactly one member is set.
//
// In JSON and YAML a step is an object of one key, such as
// {"resize": {"height": 224, "width": 224, "kernel": "bilinear"}}.
type Step struct {
	Decode    *Decode    `json:"decode,omitempty" yaml:"decode,omitempty"`
	Resize    *Resize    `json:"resize,omitempty" yaml:"resize,omitempty"`
	Crop      *Crop      `json:"crop,omitempty" yaml:"crop,omitempty"`
	Normalise *Normalise `json:"normalise,omitempty" yaml:"normalise,omitempty"`
	Plugin    *Plugin    `json:"plugin,omitempty" yaml:"plugin,omitempty"`
}

// DefaultMaxPixels bounds the decoded size where a description names no bound.
const DefaultMaxPixels int64 = 64 << 20

// Decode turns the encoded bytes into 8-bit pixels.
type Decode struct {
	// Channels is 1 (grey) or 3 (red, green, blue). Alpha is dropped.
	Channels int `json:"channels" yaml:"channels"`
	// MaxPixels refuses an image of more pixels before it is decoded.
	// Zero means DefaultMaxPixels.
	MaxPixels int64 `json:"max_pixels,omitempty" yaml:"max_pixels,omitempty"`
	// JPEGScale decodes a JPEG at 1/2, 1/4 or 1/8 of its size where the
	// result still covers the size that the first resize asks for.
	JPEGScale bool `json:"jpeg_scale,omitempty" yaml:"jpeg_scale,omitempty"`
	// Orientation turns the image as its EXIF orientation says.
	Orientation bool `json:"orientation,omitempty" yaml:"orientation,omitempty"`
}

// Bound is the number of pixels above which an image is refused undecoded.
func (d Decode) Bound() int64 {
	if d.MaxPixels == 0 {
		return DefaultMaxPixels
	}
	return d.MaxPixels
}

// The kernels of a resize, as TensorFlow's image resizing ops know them, all
// with half-pixel centres.
const (
	Bilinear = "bilinear"
	Nearest  = "nearest"
	Bicubic  = "bicubic"
	Area     = "area"
)

// KeepShorter makes a resize keep the aspect: the image is scaled until it
// just covers height × width, so that the shorter side fits and the longer
// one overhangs; a crop must follow.
const KeepShorter = "shorter"

// Resize scales the image to Height × Width pixels.
type Resize struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
	// Kernel is Bilinear, Nearest, Bicubic or Area.
	Kernel string `json:"kernel" yaml:"kernel"`
	// Antialias widens the kernel when the image shrinks.
	Antialias bool `json:"antialias,omitempty" yaml:"antialias,omitempty"`
	// Keep is empty (the aspect is not kept) or KeepShorter.
	Keep string `json:"keep,omitempty" yaml:"keep,omitempty"`
}

// Crop keeps the central Height × Width pixels. An odd margin leaves its extra
// pixel below and to the right: the offset is rounded down.
type Crop struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
}

// The modes of a normalise step. x is a pixel value from 0 to 255. The first
// three are those of Keras' imagenet_utils.preprocess_input.
const (
	// Caffe swaps red and blue and subtracts the ImageNet means
	// (103.939, 116.779, 123.68).
	Caffe = "caffe"
	// TF is x/127.5 − 1.
	TF = "tf"
	// Torch is (x/255 − mean)/deviation with the means (0.485, 0.456, 0.406)
	// and the deviations (0.229, 0.224, 0.225).
	Torch = "torch"
	// Unit is x/255.
	Unit = "unit"
	// None leaves the values as they are.
	None = "none"
)

// Normalise maps pixel values to what the network was trained on.
type Normalise struct {
	Mode string `json:"mode" yaml:"mode"`
}

// ForMode is the usual list for a network: decode to c channels, stretch to
// h × w with a bilinear kernel, normalise in the given mode.
func ForMode(mode string, h, w, c int) Preprocessing {
	return Preprocessing{Steps: []Step{
		{Decode: &Decode{Channels: c}},
		{Resize: &Resize{Height: h, Width: w, Kernel: Bilinear}},
		{Normalise: &Normalise{Mode: mode}},
	}}
}

// Shape is the height, width and channels of the resulting tensor. It is zero
// for a description that does not validate.
func (p Preprocessing) Shape() (height, width, channels int) {
	if p.Validate() != nil {
		return 0, 0, 0
	}
	for _, s := range p.Steps {
		switch {
		case s.Decode != nil:
			channels = s.Decode.Channels
		case s.Resize != nil:
			height, width = s.Resize.Height, s.Resize.Width
		case s.Crop != nil:
			height, width = s.Crop.Height, s.Crop.Width
		}
	}
	return height, width, channels
}

// Decoding is the decode step, by which an image is judged before it is
// decoded. It is the zero Decode where the list does not begin with one.
func (p Preprocessing) Decoding() Decode {
	if len(p.Steps) == 0 || p.Steps[0].Decode == nil {
		return Decode{}
	}
	return *p.Steps[0].Decode
}

// Digest names the description: "sha256:" and the hexadecimal SHA-256 of its
// canonical JSON, in which members at their default are left out. Equal
// descriptions have equal digests, and a member added to a later version of
// tkit does not change the digests of descriptions that do not use it.
func (p Preprocessing) Digest() string {
	steps := make([]Step, len(p.Steps))
	copy(steps, p.Steps)
	for i, s := range steps {
		if s.Decode != nil && s.Decode.MaxPixels == DefaultMaxPixels {
			d := *s.Decode
			d.MaxPixels = 0
			steps[i].Decode = &d
		}
	}
	b, err := json.Marshal(Preprocessing{Steps: steps})
	if err != nil { // plain numbers, strings and booleans always encode
		panic(err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// String is the description in a line for people, such as
// "decode RGB, resize 224×224 bilinear, normalise caffe".
func (p Preprocessing) String() string {
	words := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}

// String is the step in a few words.
func (s Step) String() string {
	var b strings.Builder
	switch {
	case s.Decode != nil:
		switch d := s.Decode; d.Channels {
		case 1:
			b.WriteString("decode grey")
		case 3:
			b.WriteString("decode RGB")
		default:
			fmt.Fprintf(&b, "decode %d channels", d.Channels)
		}
		if s.Decode.JPEGScale {
			b.WriteString(" scaled")
		}
		if s.Decode.Orientation {
			b.WriteString(" oriented")
		}
	case s.Resize != nil:
		if s.Resize.Keep != "" {
			fmt.Fprintf(&b, "resize %s side to %d×%d %s", s.Resize.Keep, s.Resize.Height, s.Resize.Width, s.Resize.Kernel)
		} else {
			fmt.Fprintf(&b, "resize %d×%d %s", s.Resize.Height, s.Resize.Width, s.Resize.Kernel)
		}
		if s.Resize.Antialias {
			b.WriteString(" antialiased")
		}
	case s.Crop != nil:
		fmt.Fprintf(&b, "crop %d×%d", s.Crop.Height, s.Crop.Width)
	case s.Normalise != nil:
		fmt.Fprintf(&b, "normalise %s", s.Normalise.Mode)
	default:
		b.WriteString("nothing")
	}
	return b.String()
}
