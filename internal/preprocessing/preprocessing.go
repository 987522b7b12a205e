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
)

// Preprocessing is the ordered list of steps from the bytes of an encoded
// image to a float32 tensor of height × width × channels, or to ten of them
// where there is a ten_crop.
//
// A decode begins, a normalise ends it; between them stand the steps that make
// the size of the result known. Plugin steps may stand anywhere: before the
// decode or in its place they take encoded bytes, after it pixels, after the
// normalise the tensor itself.
type Preprocessing struct {
	Steps []Step `json:"steps" yaml:"steps"`
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
	last, err := p.follow()
	if err != nil {
		return 0, 0, 0
	}
	return last.height, last.width, last.channels
}

// Form is what is known beforehand of every image at one place of a
// description. Height and width are zero where they are not known, as all of
// Shape is of encoded images.
type Form struct {
	Kind  Kind
	Shape [3]int // height, width, channels
}

// Forms is what is known after each step, of a description that validates.
func (p Preprocessing) Forms() []Form {
	g := p.beginning()
	forms := make([]Form, len(p.Steps))
	for i, s := range p.Steps {
		if g.step(i, s) != nil {
			return nil
		}
		forms[i] = Form{g.kind, [3]int{g.height, g.width, g.channels}}
		if g.keeps != "" {
			forms[i].Shape[0], forms[i].Shape[1] = 0, 0
		}
	}
	return forms
}

// Views is how many tensors an image becomes: 10 with a ten_crop, else 1.
func (p Preprocessing) Views() int {
	for _, s := range p.Steps {
		if s.TenCrop != nil {
			return 10
		}
	}
	return 1
}

// Decoding is the decode step, by which an image is judged before it is
// decoded. It is the zero Decode where plugins decode.
func (p Preprocessing) Decoding() Decode {
	for _, s := range p.Steps {
		if s.Decode != nil {
			return *s.Decode
		}
	}
	return Decode{}
}

// Plugins lists the plugin steps in their order.
func (p Preprocessing) Plugins() []Plugin {
	var all []Plugin
	for _, s := range p.Steps {
		if s.Plugin != nil {
			all = append(all, *s.Plugin)
		}
	}
	return all
}

// TakesAnyFile says whether a plugin is first to see the bytes, so that they
// need not be an image of a known format.
func (p Preprocessing) TakesAnyFile() bool {
	return len(p.Steps) > 0 && p.Steps[0].Plugin != nil
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
		if s.Plugin != nil {
			plugin := s.Plugin.canonical()
			steps[i].Plugin = &plugin
		}
	}
	b, err := json.Marshal(Preprocessing{Steps: steps})
	if err != nil { // plain numbers, strings and booleans always encode
		panic(err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
