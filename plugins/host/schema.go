package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tkit/internal/printable"
	"tkit/plugins"
)

// Step is a plugin with a configuration, validated against the plugin's schema.
type Step struct {
	plugin *Plugin
	config json.RawMessage
}

// With returns the plugin with a configuration, or an error if it does not
// match the plugin's schema.
func (p *Plugin) With(config json.RawMessage) (*Step, error) {
	if err := CheckConfig(p.description, config); err != nil {
		return nil, p.wrap(err)
	}
	return &Step{p, config}, nil
}

// Process processes a batch with the step's configuration.
func (s *Step) Process(ctx context.Context, in plugins.Batch) (plugins.Batch, error) {
	return s.plugin.Process(ctx, s.config, in)
}

// Plugin returns the step's plugin.
func (s *Step) Plugin() *Plugin { return s.plugin }

// The limits of a schema or configuration in bytes and nesting.
const (
	maxSchemaBytes = 64 << 10
	maxConfigBytes = 64 << 10
	maxJSONDepth   = 32
)

// CheckConfig validates a configuration against the schema of a description. An
// empty configuration counts as an empty object. The time is bounded, whatever
// the schema says.
func CheckConfig(d plugins.Description, config json.RawMessage) error {
	schema, err := compileSchema(d.ConfigSchema)
	if err != nil {
		return err
	}
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	value, err := boundedJSON(config, maxConfigBytes)
	if err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	members, isObject := value.(map[string]any)
	if !isObject {
		return errors.New("its configuration is not a JSON object")
	}
	if schema == nil {
		if len(members) > 0 {
			return errors.New("it takes no configuration, but has one")
		}
		return nil
	}
	if err := affordable(schema, value); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("its configuration does not match its schema: %s", printable.Line(err.Error(), longestMessage))
	}
	return nil
}

// CheckSchema checks the schema of a description: it must be valid, must not
// refer to anything outside itself, and must not take too long to check.
func CheckSchema(text json.RawMessage) error {
	_, err := compileSchema(text)
	return err
}

// compileSchema returns nil if there is no schema.
func compileSchema(text json.RawMessage) (*jsonschema.Schema, error) {
	if len(text) == 0 {
		return nil, nil
	}
	schema, err := compileBounded(text)
	if err != nil {
		return nil, fmt.Errorf("the schema of its configuration: %s", printable.Line(err.Error(), longestMessage))
	}
	return schema, nil
}

func compileBounded(text json.RawMessage) (*jsonschema.Schema, error) {
	value, err := boundedJSON(text, maxSchemaBytes)
	if err != nil {
		return nil, err
	}
	if err := knownDialects(value); err != nil {
		return nil, err
	}
	const name = "tkit:config"
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // loads nothing
	var badPattern error                      // the library mixes it with much else
	c.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		compiled, err := boundedPattern(text)
		badPattern = cmp.Or(badPattern, err)
		return compiled, err
	})
	c.AssertFormat()
	if err := c.AddResource(name, value); err != nil {
		return nil, err
	}
	schema, err := c.Compile(name)
	if err != nil {
		return nil, cmp.Or(badPattern, err)
	}
	return schema, affordableSchema(schema)
}

// boundedJSON parses JSON that is small, not deeply nested, and free of numbers
// that expand, such as 1e999999999.
func boundedJSON(text []byte, most int) (any, error) {
	if len(text) > most {
		return nil, fmt.Errorf("it has %d bytes, more than the allowed %d", len(text), most)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return value, boundedValue(value, maxJSONDepth)
}

func boundedValue(value any, depth int) error {
	if depth < 0 {
		return fmt.Errorf("it is nested more than %d levels deep", maxJSONDepth)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			if err := boundedValue(member, depth-1); err != nil {
				return err
			}
		}
	case []any:
		for _, member := range v {
			if err := boundedValue(member, depth-1); err != nil {
				return err
			}
		}
	case json.Number:
		if _, err := v.Float64(); err != nil || len(v) > maxDigits {
			return fmt.Errorf("its number %s is out of range", printable.Line(v.String(), maxDigits))
		}
		// A tiny number is zero as a float, but long as a fraction.
		if _, exponent, _ := strings.Cut(strings.ToLower(v.String()), "e"); len(strings.TrimLeft(exponent, "+-0")) > 3 {
			return fmt.Errorf("its number %s is out of range", v)
		}
	}
	return nil
}

// maxDigits bounds the length of a number, in bytes.
const maxDigits = 64

// knownDialects refuses a schema with its own meta-schema.
func knownDialects(value any) error {
	switch v := value.(type) {
	case map[string]any:
		if dialect, named := v["$schema"].(string); named && !officialDialect.MatchString(dialect) {
			return fmt.Errorf("its $schema %q is not one of json-schema.org", printable.Line(dialect, 100))
		}
		for _, member := range v {
			if err := knownDialects(member); err != nil {
				return err
			}
		}
	case []any:
		for _, member := range v {
			if err := knownDialects(member); err != nil {
				return err
			}
		}
	}
	return nil
}

var officialDialect = regexp.MustCompile(`^https?://json-schema\.org/(draft-0[4-7]|draft/20(19-09|20-12))/schema#?$`)
