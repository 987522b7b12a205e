package preprocessing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// UnmarshalJSON parses a description strictly, even inside a larger document:
// an unknown key, or a step with more or less than one key, is an error. It
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

// UnmarshalJSON parses a step strictly.
func (s *Step) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("a step: %w", err)
	}
	if len(members) != 1 {
		return fmt.Errorf("a step has exactly one of %s, not %d keys", choice(keys()), len(members))
	}
	*s = Step{}
	for key, value := range members {
		member := s.member(key)
		if member == nil {
			return fmt.Errorf("unknown step %q: it must be %s", key, choice(keys()))
		}
		if err := strict(value, member); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// member sets the field of a key to its zero value and returns it, nil if there
// is none.
func (s *Step) member(key string) any {
	for _, k := range kinds {
		if k.key == key {
			return k.new(s)
		}
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
