package preprocessing

import "encoding/json"

// Plugin is a step that a plugin does, pinned to the bytes that do it.
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
}
