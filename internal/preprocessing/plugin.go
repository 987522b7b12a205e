package preprocessing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Plugin is a step that a plugin does, pinned to the bytes that do it.
//
// A plugin before the decode takes encoded bytes and gives encoded bytes. In the
// decode's place it takes encoded bytes and gives pixels, as Gives must say. A
// plugin after the decode takes and gives pixels: uint8 until a step makes them
// float32.
type Plugin struct {
	// Name is the plugin's own, such as "dicom-window".
	Name string `json:"name" yaml:"name"`
	// Version is what the plugin says of itself, such as "1.2.0".
	Version string `json:"version,omitempty" yaml:"version,omitempty"`
	// Digest is "sha256:" and the hexadecimal SHA-256 of the plugin's executable
	// or archive. A training job may leave it out; a manifest never does.
	Digest string `json:"digest,omitempty" yaml:"digest,omitempty"`
	// Config is what the plugin is started with: a JSON object that follows the
	// plugin's own schema, empty for none.
	Config json.RawMessage `json:"config,omitempty" yaml:"config,omitempty"`
	// Gives is what the images are afterwards, where the plugin changes it.
	Gives Gives `json:"gives,omitzero" yaml:"gives,omitempty"`
}

// Varies is the height and the width of images whose size a plugin decides one
// by one; a resize must follow.
const Varies = -1

// Gives is what a plugin makes of images. A zero member stands for what the
// plugin was given.
type Gives struct {
	Kind Kind `json:"kind,omitempty" yaml:"kind,omitempty"`
	// Height and Width are the size of every image, or Varies.
	Height   int `json:"height,omitempty" yaml:"height,omitempty"`
	Width    int `json:"width,omitempty" yaml:"width,omitempty"`
	Channels int `json:"channels,omitempty" yaml:"channels,omitempty"`
}

// String names the plugin, its version and the beginning of its digest.
func (p Plugin) String() string {
	text := p.Name
	if p.Version != "" {
		text += " " + p.Version
	}
	if p.Digest != "" {
		text += " (" + p.Digest[:min(len(p.Digest), len("sha256:")+12)] + ")"
	}
	return text
}

// canonical is the step with its configuration in one form: keys sorted, no
// spaces, none at all for an empty object.
func (p Plugin) canonical() Plugin {
	d := json.NewDecoder(bytes.NewReader(p.Config))
	d.UseNumber()
	var value any
	if len(p.Config) == 0 || d.Decode(&value) != nil {
		return p // not an object, as validate says
	}
	p.Config = nil
	if members, ok := value.(map[string]any); !ok || len(members) > 0 {
		p.Config, _ = json.Marshal(value) // what was decoded encodes
	}
	return p
}

var (
	pluginName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	pluginDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

func (p Plugin) validate() error {
	if !pluginName.MatchString(p.Name) {
		return fmt.Errorf("name is %q: it must be lower-case letters, digits, dots and hyphens, 64 at most", p.Name)
	}
	if p.Digest != "" && !pluginDigest.MatchString(p.Digest) {
		return fmt.Errorf("digest is %q: it must be sha256: and 64 hexadecimal digits", p.Digest)
	}
	if strings.ContainsAny(p.Version, " \t\r\n") {
		return fmt.Errorf("version is %q: it must have no spaces", p.Version)
	}
	if len(p.Config) > 0 {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(p.Config, &object); err != nil || object == nil {
			return errors.New("config must be an object")
		}
	}
	return p.Gives.validate()
}

func (g Gives) validate() error {
	if (g.Height == 0) != (g.Width == 0) {
		return fmt.Errorf("gives %d×%d: height and width go together", g.Height, g.Width)
	}
	if (g.Height == Varies) != (g.Width == Varies) {
		return fmt.Errorf("gives %d×%d: height and width vary together", g.Height, g.Width)
	}
	if g.Height != 0 && g.Height != Varies {
		if err := sides(g.Height, g.Width); err != nil {
			return fmt.Errorf("gives: %w", err)
		}
	}
	if g.Channels != 0 && g.Channels != 1 && g.Channels != 3 {
		return fmt.Errorf("gives %d channels: it must be 1 or 3", g.Channels)
	}
	return nil
}

// Pin has pin complete every plugin step with its version and digest, and what
// it gives, and returns the description of what really runs.
func (p Preprocessing) Pin(pin func(Plugin) (Plugin, error)) (Preprocessing, error) {
	pinned := Preprocessing{Steps: make([]Step, len(p.Steps))}
	copy(pinned.Steps, p.Steps)
	for i, s := range pinned.Steps {
		if s.Plugin == nil {
			continue
		}
		plugin, err := pin(*s.Plugin)
		if err != nil {
			return p, fmt.Errorf("preprocessing step %d (plugin %s): %w", i+1, s.Plugin.Name, err)
		}
		plugin = plugin.canonical()
		pinned.Steps[i].Plugin = &plugin
	}
	if err := pinned.Pinned(); err != nil {
		return p, err
	}
	return pinned, pinned.Validate()
}

// Pinned says whether every plugin step names the bytes that do it, as the
// steps of a version must.
func (p Preprocessing) Pinned() error {
	for i, s := range p.Steps {
		if s.Plugin != nil && (s.Plugin.Version == "" || s.Plugin.Digest == "") {
			return fmt.Errorf("preprocessing step %d (plugin %s): a version pins its plugins by version and digest", i+1, s.Plugin.Name)
		}
	}
	return nil
}
