package preprocessing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tkit/internal/spelling"
)

// UnmarshalYAML parses a description as strictly as UnmarshalJSON. YAML is
// written by hand, so its errors have the line and, for an unknown key, a
// suggestion.
func (p *Preprocessing) UnmarshalYAML(n *yaml.Node) error {
	n = resolve(n)
	if err := checkKeys(n, "preprocessing", reflect.TypeFor[Preprocessing]()); err != nil {
		return err
	}
	p.Steps = nil
	for i := 1; i < len(n.Content); i += 2 {
		steps := resolve(n.Content[i])
		if steps.Kind != yaml.SequenceNode {
			return fmt.Errorf("line %d: steps: want a list, each step after a \"-\"", steps.Line)
		}
		p.Steps = make([]Step, len(steps.Content))
		for i, step := range steps.Content {
			if err := p.Steps[i].UnmarshalYAML(step); err != nil {
				return err
			}
		}
	}
	return nil
}

// UnmarshalYAML parses a step strictly.
func (s *Step) UnmarshalYAML(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a step is a mapping of one key, such as \"normalise: {mode: tf}\"", n.Line)
	}
	if len(n.Content) != 2 {
		return fmt.Errorf("line %d: a step has exactly one key of %s, not %d keys: begin each with its own \"-\"", n.Line, choice(keys()), len(n.Content)/2)
	}
	*s = Step{}
	key, value := n.Content[0], n.Content[1]
	member := s.member(key.Value)
	if member == nil {
		return fmt.Errorf("line %d: unknown step %q%s; it must be %s", key.Line, key.Value, nearest(key.Value, keys()), choice(keys()))
	}
	return readYAML(value, key.Value, member)
}

// MarshalYAML returns a plugin step with its configuration as YAML.
func (p Plugin) MarshalYAML() (any, error) {
	type plain struct {
		Name    string
		Version string `yaml:"version,omitempty"`
		Digest  string `yaml:"digest,omitempty"`
		Config  any    `yaml:"config,omitempty"`
		Gives   Gives  `yaml:"gives,omitempty"`
	}
	out := plain{p.Name, p.Version, p.Digest, nil, p.Gives}
	if len(p.Config) == 0 {
		return out, nil
	}
	// JSON is YAML, and the YAML parser keeps integers as integers.
	var config any
	if err := yaml.Unmarshal(p.Config, &config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	out.Config = config
	return out, nil
}

// readYAML decodes a mapping into a struct with yaml tags and refuses unknown
// keys. The values are converted through JSON, so that one set of rules
// applies; yaml.v3 would accept 3.5 for an integer.
func readYAML(n *yaml.Node, what string, into any) error {
	n = resolve(n)
	if err := checkKeys(n, what, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	var document map[string]any
	if err := n.Decode(&document); err != nil {
		return fmt.Errorf("line %d: %s: %w", n.Line, what, err)
	}
	b, err := json.Marshal(document)
	if err == nil {
		err = strict(b, into)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("line %d: %s: %s must be %s, not a %s", lineOf(n, wrong.Field), what, wrong.Field, typeName(wrong.Type), wrong.Value)
	}
	if odd := (*json.UnsupportedValueError)(nil); errors.As(err, &odd) {
		return fmt.Errorf("line %d: %s: %s is not a finite number", n.Line, what, odd.Str)
	}
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", n.Line, what, err)
	}
	return nil
}

// checkKeys returns an error unless n is a mapping with keys of the struct.
func checkKeys(n *yaml.Node, what string, t reflect.Type) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s: want a mapping of keys to values", n.Line, what)
	}
	known := yamlKeys(t)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		member, ok := known[key.Value]
		if !ok {
			return fmt.Errorf("line %d: %s has no %q%s", key.Line, what, key.Value, nearest(key.Value, slices.Sorted(maps.Keys(known))))
		}
		if member == reflect.TypeFor[Gives]() {
			if err := checkKeys(value, what+": "+key.Value, member); err != nil {
				return err
			}
		}
	}
	return nil
}

// lineOf returns the line of a mapping's value by its path, such as
// "gives.kind".
func lineOf(n *yaml.Node, path string) int {
	first, rest, _ := strings.Cut(path, ".")
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == first {
			return lineOf(resolve(n.Content[i+1]), rest)
		}
	}
	return n.Line
}

// typeName describes the type of a field.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float32:
		return "a number of single precision"
	case reflect.Bool:
		return "true or false"
	case reflect.String, reflect.Uint8:
		return "text"
	case reflect.Slice:
		return "a list of numbers"
	}
	return "a mapping of keys to values"
}

// yamlKeys returns the keys of a struct and the types of their fields.
func yamlKeys(t reflect.Type) map[string]reflect.Type {
	known := make(map[string]reflect.Type)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		known[name] = t.Field(i).Type
	}
	return known
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// nearest returns a suggestion, or "" if no name is similar.
func nearest(given string, names []string) string {
	if near := spelling.Nearest(strings.ToLower(given), names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
