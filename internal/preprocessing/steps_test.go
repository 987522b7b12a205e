package preprocessing

import (
	"math"
	"strings"
	"testing"
)

func TestValidateSteps(t *testing.T) {
	decode := Step{Decode: &Decode{Channels: 3}}
	scaled := Step{Decode: &Decode{Channels: 3, JPEGScale: true}}
	resize := Step{Resize: &Resize{Height: 32, Width: 48, Kernel: Lanczos3, Antialias: true}}
	shorter := Step{Resize: &Resize{Height: 32, Width: 48, Kernel: Area, Keep: KeepShorter}}
	longer := Step{Resize: &Resize{Height: 32, Width: 48, Kernel: Mitchell, Keep: KeepLonger}}
	crop := Step{Crop: &Crop{Height: 30, Width: 40}}
	ten := Step{TenCrop: &TenCrop{Height: 30, Width: 40}}
	pad := Step{Pad: &Pad{Height: 48, Width: 48, Value: 114}}
	grey := Step{Grey: &Grey{Channels: 1}}
	unit := Step{Normalise: &Normalise{Mode: Unit}}
	mode := func(n Normalise) []Step { return []Step{decode, resize, {Normalise: &n}} }
	plugin := func(g Gives) Step { return Step{Plugin: &Plugin{Name: "saliency", Gives: g}} }
	whole := Gives{Kind: Uint8, Channels: 3}
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name  string
		steps []Step
		shape [3]int // zero with an error
		want  string // in the error
	}{
		{"letterbox", []Step{decode, longer, pad, unit}, [3]int{48, 48, 3}, ""},
		{"ten crops", []Step{decode, shorter, ten, unit}, [3]int{30, 40, 3}, ""},
		{"grey", []Step{decode, grey, resize, unit}, [3]int{32, 48, 1}, ""},
		{"grey in three", []Step{decode, resize, {Grey: &Grey{Channels: 3}}, {Normalise: &Normalise{Mode: Torch}}}, [3]int{32, 48, 3}, ""},
		{"range", mode(Normalise{Mode: Range, Low: -1, High: 1}), [3]int{32, 48, 3}, ""},
		{"standard", mode(Normalise{Mode: Standard, Mean: []float32{0, .5, 1}, Deviation: []float32{1, 2, 3}}), [3]int{32, 48, 3}, ""},
		{"plugin on bytes", []Step{plugin(Gives{}), decode, resize, unit}, [3]int{32, 48, 3}, ""},
		{"plugin that decodes", []Step{plugin(Gives{Kind: Uint8, Channels: 1}), resize, unit}, [3]int{32, 48, 1}, ""},
		{"plugin on pixels", []Step{scaled, resize, plugin(Gives{}), unit}, [3]int{32, 48, 3}, ""},
		{"plugin of another size", []Step{decode, shorter, plugin(Gives{Height: 8, Width: 9}), unit}, [3]int{8, 9, 3}, ""},
		{"plugin of other channels", []Step{decode, plugin(Gives{Channels: 1}), resize, unit}, [3]int{32, 48, 1}, ""},
		{"plugin at the end", []Step{decode, resize, unit, plugin(Gives{Height: 5, Width: 5})}, [3]int{5, 5, 3}, ""},
		{"two plugins", []Step{plugin(Gives{}), plugin(whole), plugin(Gives{}), resize, unit}, [3]int{32, 48, 3}, ""},
		{"plugin of varying size", []Step{decode, resize, plugin(Gives{Height: Varies, Width: Varies}), shorter, crop, unit}, [3]int{30, 40, 3}, ""},

		{"all bits", []Step{{Decode: &Decode{Channels: 3, Bits: 16}}, resize, unit}, [3]int{32, 48, 3}, ""},
		{"background", []Step{{Decode: &Decode{Channels: 1, Background: []int{255}}}, resize, unit}, [3]int{32, 48, 1}, ""},

		{"7 bits", []Step{{Decode: &Decode{Channels: 3, Bits: 7}}, resize, unit}, [3]int{}, "from 8 to 16"},
		{"17 bits", []Step{{Decode: &Decode{Channels: 3, Bits: 17}}, resize, unit}, [3]int{}, "from 8 to 16"},
		{"background for grey", []Step{{Decode: &Decode{Channels: 3, Background: []int{255}}}, resize, unit}, [3]int{}, "one per channel, 3"},
		{"bright background", []Step{{Decode: &Decode{Channels: 1, Background: []int{256}}}, resize, unit}, [3]int{}, "from 0 to 255"},
		{"range without end", mode(Normalise{Mode: Range, Low: -math.MaxFloat32, High: math.MaxFloat32}), [3]int{}, "exceeds float32"},
		{"tiny deviation", mode(Normalise{Mode: Standard, Mean: []float32{0, 0, 0}, Deviation: []float32{1, 1, 1e-45}}), [3]int{}, "infinite"},
		{"varying to the end", []Step{decode, resize, unit, plugin(Gives{Height: Varies, Width: Varies})}, [3]int{}, "put a resize before it"},
		{"varying half", []Step{decode, plugin(Gives{Height: Varies, Width: 3}), resize, unit}, [3]int{}, "vary together"},
		{"letterbox without pad", []Step{decode, longer, unit}, [3]int{}, "put a pad before it"},
		{"letterbox and crop", []Step{decode, longer, crop, unit}, [3]int{}, "put a pad before it"},
		{"pad of what overhangs", []Step{decode, shorter, pad, unit}, [3]int{}, "put a crop before it"},
		{"early pad", []Step{decode, pad, unit}, [3]int{}, "put a resize before it"},
		{"small pad", []Step{decode, resize, {Pad: &Pad{Height: 48, Width: 47}}, unit}, [3]int{}, "smaller than the image"},
		{"bright pad", []Step{decode, resize, {Pad: &Pad{Height: 48, Width: 48, Value: 256}}, unit}, [3]int{}, "from 0 to 255"},
		{"two ten crops", []Step{decode, resize, ten, ten, unit}, [3]int{}, "step 4 (ten_crop): only a normalise"},
		{"grey twice", []Step{decode, grey, grey, resize, unit}, [3]int{}, "no colour to remove"},
		{"grey in two", []Step{decode, {Grey: &Grey{Channels: 2}}, resize, unit}, [3]int{}, "channels is 2"},
		{"caffe in grey", []Step{decode, grey, resize, {Normalise: &Normalise{Mode: Caffe}}}, [3]int{}, "needs 3 channels"},
		{"range of nothing", mode(Normalise{Mode: Range}), [3]int{}, "low must be less than high"},
		{"infinite range", mode(Normalise{Mode: Range, High: inf}), [3]int{}, "low must be less than high"},
		{"range in another mode", mode(Normalise{Mode: TF, Low: -1, High: 1}), [3]int{}, "are for the mode range"},
		{"one mean", mode(Normalise{Mode: Standard, Mean: []float32{0}, Deviation: []float32{1}}), [3]int{}, "one per channel"},
		{"no deviation", mode(Normalise{Mode: Standard, Mean: []float32{0, 0, 0}, Deviation: []float32{1, 0, 1}}), [3]int{}, "above 0"},
		{"means in another mode", mode(Normalise{Mode: Torch, Mean: []float32{0, 0, 0}}), [3]int{}, "are for the mode standard"},
		{"resize of bytes", []Step{plugin(Gives{}), resize, unit}, [3]int{}, "step 2 (resize): the first step must be a decode"},
		{"decode of pixels", []Step{plugin(whole), decode, resize, unit}, [3]int{}, "step 2 (decode): only the first"},
		{"decoding plugin that does not say", []Step{plugin(Gives{Kind: Uint8}), resize, unit}, [3]int{}, "must declare what it gives"},
		{"bytes of a size", []Step{plugin(Gives{Height: 3, Width: 3}), decode, resize, unit}, [3]int{}, "no height"},
		{"bytes again", []Step{decode, plugin(Gives{Kind: Encoded}), resize, unit}, [3]int{}, "cannot give encoded"},
		{"plugin that may see a scaled image", []Step{scaled, plugin(Gives{}), resize, unit}, [3]int{}, "jpeg_scale"},
		{"plugin of varying images", []Step{decode, shorter, plugin(Gives{}), crop, unit}, [3]int{}, "put a crop before it"},
		{"bytes after the normalise", []Step{decode, resize, unit, plugin(Gives{Kind: Uint8})}, [3]int{}, "must give float32"},
		{"plugin instead of a normalise", []Step{decode, resize, plugin(Gives{})}, [3]int{}, "the last step must be a normalise"},
		{"unknown size", []Step{decode, plugin(Gives{}), unit}, [3]int{}, "put a resize before it"},
		{"half a size", []Step{decode, plugin(Gives{Height: 3}), resize, unit}, [3]int{}, "go together"},
		{"plugin without a name", []Step{decode, {Plugin: &Plugin{}}, resize, unit}, [3]int{}, `name is ""`},
		{"plugin by a path", []Step{decode, {Plugin: &Plugin{Name: "../x"}}, resize, unit}, [3]int{}, `name is "../x"`},
		{"plugin of a bad digest", []Step{decode, {Plugin: &Plugin{Name: "x", Digest: "sha256:1"}}, resize, unit}, [3]int{}, "digest is"},
		{"plugin with a list", []Step{decode, {Plugin: &Plugin{Name: "x", Config: []byte("[]")}}, resize, unit}, [3]int{}, "config must be an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Preprocessing{Steps: c.steps}
			err := p.Validate()
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if h, w, ch := p.Shape(); [3]int{h, w, ch} != c.shape {
				t.Errorf("the shape is %d×%d×%d, want %v", h, w, ch, c.shape)
			}
		})
	}
}

func TestDescribeSteps(t *testing.T) {
	p := Preprocessing{Steps: []Step{
		{Plugin: &Plugin{Name: "dicom", Version: "1.2.0", Digest: "sha256:0123456789abcdef"}},
		{Decode: &Decode{Channels: 3}}, {Grey: &Grey{Channels: 3}},
		{Resize: &Resize{Height: 8, Width: 8, Kernel: Bicubic, Keep: KeepLonger}}, {Pad: &Pad{Height: 9, Width: 9, Value: 7}},
		{TenCrop: &TenCrop{Height: 5, Width: 6}}, {Normalise: &Normalise{Mode: Range, Low: -1, High: 1}},
	}}
	want := "plugin dicom 1.2.0 (sha256:0123456789ab), decode RGB, grey in 3 channels, resize longer side to 8×8 bicubic, " +
		"pad to 9×9 with 7, ten crops of 5×6, normalise to the range -1 to 1"
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if p.Views() != 10 || imagenet.Views() != 1 {
		t.Errorf("%d and %d views", p.Views(), imagenet.Views())
	}
	if !p.TakesAnyFile() || imagenet.TakesAnyFile() || len(p.Plugins()) != 1 {
		t.Error("the plugin is not seen")
	}
}
