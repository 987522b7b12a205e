// Package preprocessing describes how a model's input tensor is computed from
// image bytes, and extracts from image files what is known without decoding
// them.
//
// The description belongs to a model's version: training, serving and ingestion
// use the same one, and its digest is part of the key of every cached
// bottleneck. The package is pure Go and decodes nothing; internal/pipeline
// compiles a description into a graph.
package preprocessing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Preprocessing is the ordered list of steps from the bytes of an encoded image
// to a float32 tensor of height × width × channels, or to ten of them with a
// ten_crop.
//
// It begins with a decode and ends with a normalise. The steps between them
// must determine the size of the result. Plugin steps may be anywhere: before
// or in place of the decode they take encoded bytes, after it pixels, after the
// normalise the tensor.
type Preprocessing struct {
	Steps []Step `json:"steps" yaml:"steps"`
}

// ForMode returns the usual steps for a network: decode to c channels, stretch
// to h × w with a bilinear kernel, normalise in the given mode.
func ForMode(mode string, h, w, c int) Preprocessing {
	return Preprocessing{Steps: []Step{
		{Decode: &Decode{Channels: c}},
		{Resize: &Resize{Height: h, Width: w, Kernel: Bilinear}},
		{Normalise: &Normalise{Mode: mode}},
	}}
}

// Shape returns the height, width and channels of the resulting tensor. It is
// zero for an invalid description.
func (p Preprocessing) Shape() (height, width, channels int) {
	last, err := p.follow()
	if err != nil {
		return 0, 0, 0
	}
	return last.height, last.width, last.channels
}

// Form is what is known in advance about every image at one point of a
// description. Height and width are zero if unknown, and all of Shape is zero
// for encoded images.
type Form struct {
	Kind  Kind
	Shape [3]int // height, width, channels
}

// Forms returns what is known after each step of a valid description.
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

// Views returns how many tensors an image becomes: 10 with a ten_crop, else 1.
func (p Preprocessing) Views() int {
	for _, s := range p.Steps {
		if s.TenCrop != nil {
			return 10
		}
	}
	return 1
}

// Decoding returns the decode step, which limits images before they are
// decoded. It is the zero Decode if plugins decode.
func (p Preprocessing) Decoding() Decode {
	for _, s := range p.Steps {
		if s.Decode != nil {
			return *s.Decode
		}
	}
	return Decode{}
}

// Plugins lists the plugin steps in order.
func (p Preprocessing) Plugins() []Plugin {
	var all []Plugin
	for _, s := range p.Steps {
		if s.Plugin != nil {
			all = append(all, *s.Plugin)
		}
	}
	return all
}

// TakesAnyFile reports whether a plugin receives the bytes first, so that they
// need not be an image of a known format.
func (p Preprocessing) TakesAnyFile() bool {
	return len(p.Steps) > 0 && p.Steps[0].Plugin != nil
}

// Digest identifies the description: "sha256:" and the hexadecimal SHA-256 of
// its canonical JSON, which omits fields with default values. Equal
// descriptions have equal digests, and fields added by later versions of tkit
// do not change the digests of descriptions that do not use them.
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
	if err != nil { // plain numbers, strings and booleans can always be encoded
		panic(err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
