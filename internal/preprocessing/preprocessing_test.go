package preprocessing

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tkit/internal/fuzztest"
)

// imagenet has every kind of step used to evaluate a ResNet.
var imagenet = Preprocessing{Steps: []Step{
	{Decode: &Decode{Channels: 3, JPEGScale: true, Orientation: true}},
	{Resize: &Resize{Height: 256, Width: 256, Kernel: Bicubic, Antialias: true, Keep: KeepShorter}},
	{Crop: &Crop{Height: 224, Width: 224}},
	{Normalise: &Normalise{Mode: Torch}},
}}

func TestValidate(t *testing.T) {
	decode := Step{Decode: &Decode{Channels: 3}}
	grey := Step{Decode: &Decode{Channels: 1}}
	resize := Step{Resize: &Resize{Height: 32, Width: 48, Kernel: Bilinear}}
	shorter := Step{Resize: &Resize{Height: 32, Width: 48, Kernel: Area, Keep: KeepShorter}}
	crop := Step{Crop: &Crop{Height: 30, Width: 40}}
	unit := Step{Normalise: &Normalise{Mode: Unit}}
	with := func(s Step) []Step { return []Step{decode, s, unit} }
	for _, c := range []struct {
		name  string
		steps []Step
		want  string // in the error; empty for none
	}{
		{"usual", []Step{decode, resize, unit}, ""},
		{"all kinds", imagenet.Steps, ""},
		{"crop twice", []Step{decode, shorter, crop, crop, unit}, ""},
		{"resize after crop", []Step{decode, shorter, crop, resize, unit}, ""},
		{"grey", []Step{grey, resize, unit}, ""},
		{"nothing", nil, "no steps"},
		{"empty step", []Step{decode, {}, unit}, "step 2 (empty)"},
		{"two members", []Step{decode, {Resize: resize.Resize, Crop: crop.Crop}, unit}, "step 2 (resize, crop)"},
		{"no decode", []Step{resize, unit}, "step 1 (resize): the first step must be a decode"},
		{"decode later", []Step{decode, resize, decode, unit}, "step 3 (decode)"},
		{"decode alone", []Step{decode}, "step 1 (decode): nothing follows"},
		{"four channels", []Step{{Decode: &Decode{Channels: 4}}, resize, unit}, "step 1 (decode): channels is 4"},
		{"negative bound", []Step{{Decode: &Decode{Channels: 3, MaxPixels: -1}}, resize, unit}, "max_pixels is -1"},
		{"no size", []Step{decode, unit}, "step 2 (normalise): the size of the result is not known"},
		{"scaled without resize", []Step{{Decode: &Decode{Channels: 3, JPEGScale: true}}, unit}, "jpeg_scale"},
		{"zero side", with(Step{Resize: &Resize{Height: 0, Width: 5, Kernel: Bilinear}}), "step 2 (resize): 0×5 is not a valid size"},
		{"huge side", with(Step{Resize: &Resize{Height: 5, Width: 1 << 20, Kernel: Bilinear}}), "is not a valid size"},
		{"no kernel", with(Step{Resize: &Resize{Height: 5, Width: 5}}), `kernel is ""`},
		{"unknown kernel", with(Step{Resize: &Resize{Height: 5, Width: 5, Kernel: "sinc"}}), `kernel is "sinc"`},
		{"antialiased nearest", with(Step{Resize: &Resize{Height: 5, Width: 5, Kernel: Nearest, Antialias: true}}), "antialias"},
		{"unknown keep", with(Step{Resize: &Resize{Height: 5, Width: 5, Kernel: Area, Keep: "both"}}), `keep is "both"`},
		{"overhang", with(shorter), "put a crop before it"},
		{"early crop", []Step{decode, crop, resize, unit}, "step 2 (crop): the size of the image is not known"},
		{"large crop", []Step{decode, resize, {Crop: &Crop{Height: 32, Width: 49}}, unit}, "step 3 (crop): 32×49 is larger"},
		{"crop of nothing", []Step{decode, resize, {Crop: &Crop{}}, unit}, "step 3 (crop): 0×0 is not a valid size"},
		{"no normalise", []Step{decode, resize}, "step 2 (resize): the last step must be a normalise"},
		{"normalise early", []Step{decode, resize, unit, resize}, "step 4 (resize): only plugins may follow the normalise"},
		{"unknown mode", []Step{decode, resize, {Normalise: &Normalise{Mode: "mean"}}}, `mode is "mean"`},
		{"caffe in grey", []Step{grey, resize, {Normalise: &Normalise{Mode: Caffe}}}, "needs 3 channels"},
		{"torch in grey", []Step{grey, resize, {Normalise: &Normalise{Mode: Torch}}}, "needs 3 channels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Preprocessing{Steps: c.steps}
			err := p.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if h, w, _ := p.Shape(); (h > 0 && w > 0) != (err == nil) {
				t.Errorf("the shape is %d×%d with the error %v", h, w, err)
			}
		})
	}
}

func TestShapeAndString(t *testing.T) {
	for _, c := range []struct {
		p       Preprocessing
		h, w, c int
		text    string
	}{
		{imagenet, 224, 224, 3, "decode RGB scaled oriented, resize shorter side to 256×256 bicubic antialiased, crop 224×224, normalise torch"},
		{ForMode(TF, 299, 320, 3), 299, 320, 3, "decode RGB, resize 299×320 bilinear, normalise tf"},
		{ForMode(Unit, 28, 28, 1), 28, 28, 1, "decode grey, resize 28×28 bilinear, normalise unit"},
		{Preprocessing{Steps: []Step{{}}}, 0, 0, 0, "nothing"},
	} {
		if h, w, ch := c.p.Shape(); h != c.h || w != c.w || ch != c.c {
			t.Errorf("%s: shape %d×%d×%d, want %d×%d×%d", c.text, h, w, ch, c.h, c.w, c.c)
		}
		if got := c.p.String(); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
	}
}

// A digest is a key of caches and part of manifests, so it must never change
// for the same description.
func TestDigest(t *testing.T) {
	golden := map[string]Preprocessing{
		"sha256:194c963e909ecae9424e2136fbf1e351ffd2dccaee642cb347149a8de5bc5520": ForMode(Caffe, 224, 224, 3),
		"sha256:4408aef8fadda0fc37b554a800d5c492d2c2b17b84116440dd9fff4e5947f939": imagenet,
	}
	for want, p := range golden {
		if got := p.Digest(); got != want {
			t.Errorf("%s has the digest %s, want %s", p, got, want)
		}
	}
	explicit := ForMode(Caffe, 224, 224, 3)
	explicit.Steps[0].Decode.MaxPixels = DefaultMaxPixels
	if explicit.Digest() != ForMode(Caffe, 224, 224, 3).Digest() {
		t.Error("the default bound spelled out changes the digest")
	}
	if explicit.Steps[0].Decode.MaxPixels != DefaultMaxPixels {
		t.Error("taking the digest changed the description")
	}
	if ForMode(Caffe, 224, 224, 3).Digest() == ForMode(TF, 224, 224, 3).Digest() {
		t.Error("two modes have one digest")
	}
}

func TestDecoding(t *testing.T) {
	if got := ForMode(TF, 8, 8, 3).Decoding().Bound(); got != DefaultMaxPixels {
		t.Errorf("the default bound is %d", got)
	}
	if got := (Decode{MaxPixels: 5}).Bound(); got != 5 {
		t.Errorf("the bound is %d", got)
	}
	if got := (Preprocessing{}).Decoding(); !reflect.DeepEqual(got, Decode{}) {
		t.Errorf("no decode, but %+v", got)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, p := range []Preprocessing{imagenet, ForMode(None, 1, 2, 1), {}} {
		j, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON, fromYAML Preprocessing
		if err := json.Unmarshal(j, &fromJSON); err != nil {
			t.Fatalf("%s: %v", j, err)
		}
		if err := yaml.Unmarshal(y, &fromYAML); err != nil {
			t.Fatalf("%s: %v", y, err)
		}
		if fromJSON.Digest() != p.Digest() || fromYAML.Digest() != p.Digest() {
			t.Errorf("%s became %s by JSON, %s by YAML", p, fromJSON, fromYAML)
		}
	}
}

func TestStrict(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"steps": [{"decode": {"channels": 3}}]}`, ""},
		{`{"steps": [{"decode": {"channels": 3, "max_pixels": 9, "jpeg_scale": true, "orientation": true}}]}`, ""},
		{`{"steps": [{"decode": {"channels": 3, "maxPixels": 9}}]}`, "maxPixels"},
		{`{"steps": [{"decode": {}, "resize": {}}]}`, "not 2 keys"},
		{`{"steps": [{}]}`, "not 0 keys"},
		{`{"steps": [{"blur": {}}]}`, `unknown step "blur"`},
		{`{"steps": [{"Decode": {}}]}`, `unknown step "Decode"`},
		{`{"steps": [{"decode": null}]}`, "decode: "},
		{`{"steps": [{"decode": {"channels": "3"}}]}`, "decode"},
		{`{"steps": [{"decode": {"channels": 3.5}}]}`, "decode"},
		{`{"steps": [[]]}`, "step"},
		{`{"steps": [], "mode": "tf"}`, "mode"},
		{`null`, "null"},
		{`[]`, "preprocessing"},
	} {
		// In a list, because a decoder skips a null document.
		var fromJSON, fromYAML []Preprocessing
		for kind, err := range map[string]error{
			"JSON": json.Unmarshal([]byte("["+c.text+"]"), &fromJSON),
			"YAML": yaml.Unmarshal([]byte("["+c.text+"]"), &fromYAML), // YAML reads flow style as JSON
		} {
			if kind == "YAML" && c.text == "null" {
				continue // yaml.v3 does not call the unmarshaller for null
			}
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s %s: got %v, want %q", kind, c.text, err, c.want)
			}
		}
	}
	var p Preprocessing
	if err := yaml.Unmarshal([]byte("\n\nsteps:\n- 1: 2\n"), &p); err == nil || !strings.Contains(err.Error(), `line 4: unknown step "1"`) {
		t.Errorf("a key that is not a string: %v", err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, p := range []Preprocessing{imagenet, ForMode(TF, 3, 4, 1)} {
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		if b, err = yaml.Marshal(p); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		for _, unmarshal := range []func([]byte, any) error{json.Unmarshal, yaml.Unmarshal} {
			var p, again Preprocessing
			if unmarshal(b, &p) != nil {
				continue
			}
			_ = p.Validate()
			out, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(out, &again); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			if again.Digest() != p.Digest() {
				t.Fatalf("%s became %s", p, again)
			}
		}
	})
}
