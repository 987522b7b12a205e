package preprocessing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// UnmarshalJSON reads a description strictly, wherever it stands in a larger
// document: an unknown key, or a step with any but one key, is an error. It
// does not call Validate.
func (p *Preprocessing) UnmarshalJSON(b []byte) error {
	var plain struct {
		Steps []Step `json:"steps"`
	}
	if err := strict(b, &plain); err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	p.Steps = plain.Steps
	return nil
}

// UnmarshalJSON reads a step strictly.
func (s *Step) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("a step: %w", err)
	}
	if len(members) != 1 {
		return fmt.Errorf("a step has exactly one of decode, resize, crop and normalise, not %d keys", len(members))
	}
	*s = Step{}
	for key, value := range members {
		var member any
		switch key {
		case "decode":
			s.Decode = new(Decode)
			member = s.Decode
		case "resize":
			s.Resize = new(Resize)
			member = s.Resize
		case "crop":
			s.Crop = new(Crop)
			member = s.Crop
		case "normalise":
			s.Normalise = new(Normalise)
			member = s.Normalise
		default:
			return fmt.Errorf("unknown step %q: it must be decode, resize, crop or normalise", key)
		}
		if err := strict(value, member); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// UnmarshalYAML reads a description as strictly as UnmarshalJSON does.
func (p *Preprocessing) UnmarshalYAML(n *yaml.Node) error {
	// yaml.v3 forgets KnownFields below a custom method, so the document goes
	// through JSON: one reader, one set of rules.
	var document any
	if err := n.Decode(&document); err != nil {
		return fmt.Errorf("preprocessing, line %d: %w", n.Line, err)
	}
	b, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("preprocessing, line %d: %w", n.Line, err)
	}
	if err := json.Unmarshal(b, p); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// strict decodes exactly one JSON object without unknown keys.
func strict(b []byte, into any) error {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return errors.New("null where an object is expected")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the object")
	}
	return nil
}
