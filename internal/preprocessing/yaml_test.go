package preprocessing

import (
	"encoding/json"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const everyStep = `
steps:
- plugin: {name: unwrap, version: 0.1.0}
- decode:
    channels: 3
    max_pixels: 1000000
    orientation: true
    bits: 12
    background: [255, 255, 255]
- plugin:
    name: saliency
    version: 1.2.0
    digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    config: {threshold: 0.25, rounds: 12345678901234567, "on": true}
- resize: {height: 256, width: 256, kernel: lanczos3, antialias: true, keep: longer}
- pad: {height: 256, width: 256, value: 114}
- grey: {channels: 3}
- ten_crop: {height: 224, width: 224}
- normalise: {mode: standard, mean: [0.481, 0.457, 0.408], deviation: [0.268, 0.261, 0.275]}
- plugin: {name: last, gives: {kind: float32, height: 10, width: 10}}
`

// Every step is equal after a round trip through either form.
func TestYAMLOfEveryStep(t *testing.T) {
	var p Preprocessing
	if err := yaml.Unmarshal([]byte(everyStep), &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := p.Steps[8].Plugin.Gives; got != (Gives{Kind: Float32, Height: 10, Width: 10}) {
		t.Errorf("the last plugin gives %+v", got)
	}
	asYAML, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON Preprocessing
	if err := yaml.Unmarshal(asYAML, &fromYAML); err != nil {
		t.Fatalf("%v\n%s", err, asYAML)
	}
	if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
		t.Fatalf("%v\n%s", err, asJSON)
	}
	if fromYAML.Digest() != p.Digest() || fromJSON.Digest() != p.Digest() {
		t.Errorf("%s\nbecame %s", asJSON, asYAML)
	}
}

func TestYAMLErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"steps:\n- decode: {chanels: 3}", `line 2: decode has no "chanels"; did you mean "channels"?`},
		{"steps:\n- decode:\n    channels: 3\n    scale: true", `line 4: decode has no "scale"`},
		{"steps:\n- decode: {channels: 3}\n- resise: {height: 3}", `line 3: unknown step "resise"; did you mean "resize"?`},
		{"steps:\n- normalize: {mode: tf}", `unknown step "normalize"; did you mean "normalise"?`},
		{"steps:\n- xyz: {}", `line 2: unknown step "xyz"; it must be decode, resize,`},
		{"step:\n- xyz: {}", `line 1: preprocessing has no "step"; did you mean "steps"?`},
		{"steps:\n- decode: {channels: three}", "line 2: decode: channels must be a whole number, not a string"},
		{"steps:\n- resize:\n    height: 3\n    width: 3.5", "line 4: resize: width must be a whole number, not a number 3.5"},
		{"steps:\n- resize:\n    antialias: 1", "line 3: resize: antialias must be true or false, not a number"},
		{"steps:\n- normalise:\n    mode: standard\n    mean: 3", "line 4: normalise: mean must be a list of numbers, not a number"},
		{"steps:\n- normalise: {mode: range, high: .nan}", "line 2: normalise: NaN is not a finite number"},
		{"steps:\n- normalise: {mode: range, high: .inf}", "line 2: normalise: +Inf is not a finite number"},
		{"steps:\n- normalise: {mode: range, high: 1e39}", "line 2: normalise: high must be a number of single precision, not a number 1e+39"},
		{"steps:\n- decode: {}\n  resize: {}", "line 2: a step has exactly one key of"},
		{"steps:\n- decode: {channels: 1, channels: 3}", "already defined"},
		{"steps:\n- decode", "line 2: a step is a mapping"},
		{"steps: {decode: {}}", "line 1: steps: want a list"},
		{"steps:\n- decode: [3]", "line 2: decode: want a mapping"},
		{"steps:\n- plugin: {name: x, gives: {hieght: 3}}", `line 2: plugin: gives has no "hieght"; did you mean "height"?`},
		{"steps:\n- plugin:\n    name: x\n    gives:\n      kind: uint16", `kind is "uint16"`},
	} {
		var p Preprocessing
		if err := yaml.Unmarshal([]byte(c.text), &p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}
