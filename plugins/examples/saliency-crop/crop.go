package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"math"

	"tkit/plugins"
)

// schema is the schema of config.
const schema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"properties": {
		"margin": {"type": "number", "minimum": 0, "maximum": 2, "default": 0.25,
			"description": "margin on each side, relative to the longer side of the salient region"}
	},
	"additionalProperties": false
}`

type config struct {
	Margin float64 `json:"margin"`
}

type crop struct{}

func (crop) Describe() plugins.Description {
	pixels := plugins.Form{Kind: plugins.Uint8}
	return plugins.Description{
		Name: "saliency-crop", Version: "1.0.0",
		Summary:      "the salient region of the image, at the image's size",
		ConfigSchema: json.RawMessage(schema),
		// The images of a batch have one size: the region is scaled to it.
		Takes: pixels, Gives: pixels,
		Deterministic: true, // all computations use integers
	}
}

func (crop) Process(ctx context.Context, text json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	c := config{Margin: 0.25}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &c); err != nil {
			return plugins.Batch{}, fmt.Errorf("configuration: %w", err)
		}
	}
	out := plugins.NewBatch(plugins.Uint8, in.Count, in.Shape)
	size := in.Elements()
	for i := range in.Count {
		if err := ctx.Err(); err != nil {
			return plugins.Batch{}, err
		}
		from := picture{in.Shape[0], in.Shape[1], in.Shape[2], in.Uint8[i*size : (i+1)*size]}
		to := picture{in.Shape[0], in.Shape[1], in.Shape[2], out.Uint8[i*size : (i+1)*size]}
		whole := image.Rect(0, 0, from.width, from.height)
		enlarge(from, frame(salient(from), c.Margin, whole), to)
	}
	return out, nil
}

// picture is an image of a batch.
type picture struct {
	height, width, channels int
	pixels                  []uint8 // height × width × channels
}

func (p picture) at(x, y, channel int) int {
	return int(p.pixels[(y*p.width+x)*p.channels+channel])
}

// frame returns the smallest part of whole that contains box with a margin and
// has whole's proportions. Without a box it returns whole.
func frame(box image.Rectangle, margin float64, whole image.Rectangle) image.Rectangle {
	if box.Empty() {
		return whole
	}
	around := 2 * int(math.Ceil(margin*float64(max(box.Dx(), box.Dy()))))
	width, height := box.Dx()+around, box.Dy()+around
	width = max(width, (height*whole.Dx()+whole.Dy()-1)/whole.Dy())
	height = max(height, (width*whole.Dy()+whole.Dx()-1)/whole.Dx())
	if width >= whole.Dx() || height >= whole.Dy() {
		return whole
	}
	// As near to the middle of the box as the edges allow.
	x := min(max(0, (box.Min.X+box.Max.X-width)/2), whole.Dx()-width)
	y := min(max(0, (box.Min.Y+box.Max.Y-height)/2), whole.Dy()-height)
	return image.Rect(x, y, x+width, y+height)
}

// enlarge scales a part of from to to by bilinear interpolation between the
// centres of pixels, in units of 1/65,536 of a pixel.
func enlarge(from picture, part image.Rectangle, to picture) {
	columns := places(part.Min.X, part.Max.X, to.width)
	rows := places(part.Min.Y, part.Max.Y, to.height)
	i := 0
	for _, v := range rows {
		for _, h := range columns {
			for c := range to.channels {
				above := from.at(h.first, v.first, c)*(one-h.share) + from.at(h.second, v.first, c)*h.share
				below := from.at(h.first, v.second, c)*(one-h.share) + from.at(h.second, v.second, c)*h.share
				to.pixels[i] = uint8((above*(one-v.share) + below*v.share + one*one/2) / (one * one))
				i++
			}
		}
	}
}

const one = 1 << 16

// place is a position between two pixels: share is the second's weight.
type place struct{ first, second, share int }

// places returns the positions of n pixels spread evenly from low to high.
func places(low, high, n int) []place {
	all := make([]place, n)
	for i := range all {
		at := ((2*i+1)*(high-low)*one/n - one) / 2
		at = min(max(0, at), (high-low-1)*one)
		first := low + at/one
		all[i] = place{first, min(first+1, high-1), at % one}
	}
	return all
}
