package preprocessing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Plugin is a step done by a plugin, pinned to its digest.
//
// A plugin before the decode takes and returns encoded bytes. A plugin in place
// of the decode takes encoded bytes and returns pixels, which Gives must
// declare. A plugin after the decode takes and returns pixels: uint8 until a
// step makes them float32.
type Plugin struct {
	// Name is the plugin's name, such as "dicom-window".
	Name string `json:"name" yaml:"name"`
	// Version is the plugin's own version, such as "1.2.0".
	Version string `json:"version,omitempty" yaml:"version,omitempty"`
	// Digest is "sha256:" and the hexadecimal SHA-256 of the plugin's
	// executable or archive. It is optional in a training job and required in a
	// manifest.
	Digest string `json:"digest,omitempty" yaml:"digest,omitempty"`
	// Config is the plugin's configuration: a JSON object that matches the
	// plugin's schema, empty for none.
	Config json.RawMessage `json:"config,omitempty" yaml:"config,omitempty"`
	// Gives describes the images after the step, if the plugin changes their
	// form.
	Gives Gives `json:"gives,omitzero" yaml:"gives,omitempty"`
}

// Varies is the height and the width of images whose size the plugin decides
// for each image. A resize must follow.
const Varies = -1

// Gives describes a plugin's output. A zero field means the same as the input.
type Gives struct {
	Kind Kind `json:"kind,omitempty" yaml:"kind,omitempty"`
	// Height and Width are the size of every image, or Varies.
	Height   int `json:"height,omitempty" yaml:"height,omitempty"`
	Width    int `json:"width,omitempty" yaml:"width,omitempty"`
	Channels int `json:"channels,omitempty" yaml:"channels,omitempty"`
}

// String returns the plugin's name, version and the beginning of its digest.
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

// canonical returns the step with a canonical configuration: sorted keys, no
// spaces, nothing for an empty object.
func (p Plugin) canonical() Plugin {
	d := json.NewDecoder(bytes.NewReader(p.Config))
	d.UseNumber()
	var value any
	if len(p.Config) == 0 || d.Decode(&value) != nil {
		return p // not an object, which validate reports
	}
	p.Config = nil
	if members, ok := value.(map[string]any); !ok || len(members) > 0 {
		p.Config, _ = json.Marshal(value) // decoded values can be encoded
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

// Pin calls pin to complete every plugin step with its version, digest and
// output, and returns the resulting description.
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

// Pinned checks that every plugin step has a digest, as the steps of a version
// must.
func (p Preprocessing) Pinned() error {
	for i, s := range p.Steps {
		if s.Plugin != nil && (s.Plugin.Version == "" || s.Plugin.Digest == "") {
			return fmt.Errorf("preprocessing step %d (plugin %s): the plugins of a version must be pinned by version and digest", i+1, s.Plugin.Name)
		}
	}
	return nil
}
