package main

import (
	"encoding/json"
	"image"
	"slices"
	"testing"

	"tkit/internal/needs"
	"tkit/plugins"
	"tkit/plugins/preprocesstest"
)

func TestConformance(t *testing.T) {
	needs.Minutes(t)
	preprocesstest.Run(t, crop{}, preprocesstest.Options{Config: json.RawMessage(`{"margin": 0.1}`)})
}

// blank returns an image of one grey with bright boxes.
func blank(width, height, channels int, bright ...image.Rectangle) picture {
	p := picture{height, width, channels, make([]uint8, width*height*channels)}
	for y := range height {
		for x := range width {
			value := uint8(40)
			for _, box := range bright {
				if image.Pt(x, y).In(box) {
					value = 220
				}
			}
			for c := range channels {
				p.pixels[(y*width+x)*channels+c] = value
			}
		}
	}
	return p
}

func TestSalient(t *testing.T) {
	object, speck := image.Rect(30, 10, 42, 26), image.Rect(3, 3, 5, 5)
	for _, channels := range []int{1, 3} {
		got := salient(blank(64, 48, channels, object, speck))
		// The blur extends two pixels beyond the edge.
		if !object.In(got) || !got.In(object.Inset(-2)) {
			t.Errorf("%d channels: %v is salient, want %v", channels, got, object)
		}
	}
	if got := salient(blank(64, 48, 3)); !got.Empty() {
		t.Errorf("%v is salient in a blank image", got)
	}
}

func TestFrame(t *testing.T) {
	whole := image.Rect(0, 0, 100, 50)
	for _, c := range []struct {
		box    image.Rectangle
		margin float64
		want   image.Rectangle
	}{
		{image.Rect(40, 20, 60, 30), 0, image.Rect(40, 20, 60, 30)},
		{image.Rect(40, 20, 60, 30), 0.25, image.Rect(30, 15, 70, 35)}, // 30 × 20, made 2:1
		{image.Rect(45, 10, 55, 30), 0, image.Rect(30, 10, 70, 30)},
		{image.Rect(0, 0, 20, 10), 0.5, image.Rect(0, 0, 60, 30)},
		{image.Rect(90, 45, 100, 50), 0, image.Rect(90, 45, 100, 50)},
		{image.Rect(10, 0, 20, 50), 0, whole},
		{image.Rectangle{}, 0, whole},
	} {
		if got := frame(c.box, c.margin, whole); got != c.want {
			t.Errorf("frame(%v, %v) = %v, want %v", c.box, c.margin, got, c.want)
		}
	}
}

func TestEnlarge(t *testing.T) {
	from := picture{1, 4, 1, []uint8{0, 100, 200, 50}}
	for _, c := range []struct {
		part image.Rectangle
		want []uint8
	}{
		{image.Rect(0, 0, 4, 1), []uint8{0, 100, 200, 50}},
		{image.Rect(1, 0, 3, 1), []uint8{100, 125, 175, 200}},
		{image.Rect(2, 0, 3, 1), []uint8{200, 200, 200, 200}},
	} {
		to := picture{1, 4, 1, make([]uint8, 4)}
		enlarge(from, c.part, to)
		if !slices.Equal(to.pixels, c.want) {
			t.Errorf("%v becomes %v, want %v", c.part, to.pixels, c.want)
		}
	}
}

// An object that fills little of the image fills much of the result.
func TestProcess(t *testing.T) {
	p := blank(96, 96, 1, image.Rect(70, 5, 90, 25))
	in := plugins.Batch{Kind: plugins.Uint8, Count: 1, Shape: [3]int{96, 96, 1}, Uint8: p.pixels}
	out, err := crop{}.Process(t.Context(), json.RawMessage(`{"margin": 0}`), in)
	if err != nil {
		t.Fatal(err)
	}
	bright := 0
	for _, v := range out.Uint8 {
		if v > 130 {
			bright++
		}
	}
	if share := float64(bright) / (96 * 96); share < 0.6 {
		t.Errorf("the object fills %.2f of the answer", share)
	}
}
