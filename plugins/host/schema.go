package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tkit/plugins"
)

// Step is a plugin with a configuration, which follows the plugin's schema.
type Step struct {
	plugin *Plugin
	config json.RawMessage
}

// With is the plugin with a configuration, or says how that fails the plugin's
// schema.
func (p *Plugin) With(config json.RawMessage) (*Step, error) {
	if err := CheckConfig(p.description, config); err != nil {
		return nil, p.wrap(err)
	}
	return &Step{p, config}, nil
}

// Process has a batch processed with the step's configuration.
func (s *Step) Process(ctx context.Context, in plugins.Batch) (plugins.Batch, error) {
	return s.plugin.Process(ctx, s.config, in)
}

// Plugin is what does the step.
func (s *Step) Plugin() *Plugin { return s.plugin }

// CheckConfig says how a configuration fails the schema of a description. None
// at all is an empty object to a schema.
func CheckConfig(d plugins.Description, config json.RawMessage) error {
	schema, err := compileSchema(d.ConfigSchema)
	if err != nil {
		return err
	}
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("its configuration is not JSON: %w", err)
	}
	members, isObject := value.(map[string]any)
	if !isObject {
		return errors.New("its configuration is not a JSON object")
	}
	if schema == nil {
		if len(members) > 0 {
			return errors.New("it takes no configuration, and is given one")
		}
		return nil
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("its configuration fails its schema: %w", err)
	}
	return nil
}

// CheckSchema says what is wrong with the schema of a description.
func CheckSchema(text json.RawMessage) error {
	_, err := compileSchema(text)
	return err
}

// compileSchema is nil where there is no schema. A schema refers to nothing
// outside itself.
func compileSchema(text json.RawMessage) (*jsonschema.Schema, error) {
	if len(text) == 0 {
		return nil, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the schema of its configuration: %w", err)
	}
	const name = "tkit:config"
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	c.AssertFormat()
	if err := c.AddResource(name, value); err != nil {
		return nil, fmt.Errorf("the schema of its configuration: %w", err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("the schema of its configuration: %w", err)
	}
	return schema, nil
}
