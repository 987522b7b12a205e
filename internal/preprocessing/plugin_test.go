package preprocessing

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func withPlugin(p Plugin) Preprocessing {
	return Preprocessing{Steps: []Step{
		{Decode: &Decode{Channels: 3}}, {Plugin: &p},
		{Resize: &Resize{Height: 8, Width: 8, Kernel: Bilinear}}, {Normalise: &Normalise{Mode: Unit}},
	}}
}

// The digest depends on a configuration's meaning, not its formatting, and on
// the plugin's bytes.
func TestDigestOfPlugins(t *testing.T) {
	config := func(text string) string {
		return withPlugin(Plugin{Name: "x", Digest: digest, Config: json.RawMessage(text)}).Digest()
	}
	if config(`{"a": 1, "b": {"d": 2.50, "c": [1, 2]}}`) != config(`{"b":{"c":[1,2],"d":2.50},"a":1}`) {
		t.Error("the order of keys changes the digest")
	}
	if config(`{}`) != config("") {
		t.Error("no configuration differs from an empty one")
	}
	if config(`{"n": 12345678901234567}`) == config(`{"n": 12345678901234568}`) {
		t.Error("large numbers lose digits")
	}
	if config(`{"a": 1}`) == config(`{"a": 2}`) {
		t.Error("the configuration does not change the digest")
	}
	if withPlugin(Plugin{Name: "x", Digest: digest}).Digest() == withPlugin(Plugin{Name: "x"}).Digest() {
		t.Error("the plugin's bytes do not change the digest")
	}
}

func TestPin(t *testing.T) {
	job := withPlugin(Plugin{Name: "x", Config: json.RawMessage(`{"b": 1, "a": 2}`)})
	if err := job.Pinned(); err == nil || !strings.Contains(err.Error(), "step 2 (plugin x)") {
		t.Errorf("not pinned, but %v", err)
	}
	pinned, err := job.Pin(func(p Plugin) (Plugin, error) {
		p.Version, p.Digest = "1.0.0", digest
		return p, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pinned.Pinned(); err != nil {
		t.Error(err)
	}
	if got := pinned.Steps[1].Plugin; got.Digest != digest || string(got.Config) != `{"a":2,"b":1}` {
		t.Errorf("pinned %+v", got)
	}
	if job.Steps[1].Plugin.Digest != "" {
		t.Error("pinning changed the job")
	}
	missing := errors.New("not installed")
	if _, err := job.Pin(func(p Plugin) (Plugin, error) { return p, missing }); !errors.Is(err, missing) {
		t.Errorf("got %v", err)
	}
	if _, err := job.Pin(func(p Plugin) (Plugin, error) { return p, nil }); err == nil {
		t.Error("a plugin without a digest counts as pinned")
	}
}
