package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tkit/registry/metadata"
)

// A State is a state of a version.
type State string

// The states. A deprecated version keeps its aliases and its applications, and gets no new
// ones. A deleted version cannot be used.
const (
	Available  State = "available"
	Deprecated State = "deprecated"
)

// Properties are what may change about a model or a version.
type Properties struct {
	// Description is for readers. "" means that of the manifest.
	Description string `json:"description,omitempty"`
	// State is that of a version that is not deleted; "" for a model.
	State State             `json:"state,omitempty"`
	Tags  map[string]string `json:"tags,omitempty"`
}

// ErrDeprecated is the error of a deprecated version that is to get an alias or an
// application.
var ErrDeprecated = errors.New("it is deprecated: choose another version, or make it available again")

// A PropertyChange is a change of properties. What is zero stays as it is.
type PropertyChange struct {
	Model       string
	Version     int               // 0: the model
	Description *string           // "" removes it
	State       State             // only of a version
	Tags        map[string]string // an empty value removes a tag
	By          Change
}

// ParseTags reads tags to change: NAME=VALUE, or NAME= to remove one.
func ParseTags(texts []string) (map[string]string, error) {
	c := PropertyChange{Tags: make(map[string]string)}
	for _, text := range texts {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return nil, fmt.Errorf("%w: tag %.80q: write NAME=VALUE", ErrInvalid, text)
		}
		c.Tags[name] = value
	}
	return c.Tags, c.checkTags()
}

// The names of properties in the store. A tag has its name after the prefix.
const (
	descriptionProperty = "description"
	stateProperty       = "state"
	tagProperty         = "tag "
)

// Bounds of properties.
const (
	maxTags = 64
	maxTag  = 256 // bytes of a value
)

// Change changes properties in one transaction and records each in the history. What has
// the value already is not recorded.
func (r *Registry) Change(ctx context.Context, c PropertyChange) error {
	if err := c.check(); err != nil {
		return err
	}
	err := r.metadata.Update(ctx, func(w metadata.Writer) error {
		_, err := once(w, c.By.Key, c, func() (bool, error) { return true, c.do(w) })
		return err
	})
	if err != nil {
		return fmt.Errorf("changing %s: %w", Ref{Model: c.Model, Version: c.Version}, err)
	}
	return nil
}

func (c PropertyChange) do(w metadata.Writer) error {
	if _, err := (Removal{Model: c.Model, Version: c.Version}).removable(w); err != nil {
		return err // there is none, or it was deleted
	}
	values := c.values()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p := metadata.Property{Model: c.Model, Version: c.Version, Name: name, Value: values[name]}
		before, err := w.Property(c.Model, c.Version, name)
		if err != nil {
			return err
		}
		if before == p.Value {
			continue
		}
		if _, err := record(w, Event{Action: Changed, Model: c.Model, Version: c.Version, Detail: detail(p), Change: c.By}); err != nil {
			return err
		}
		if err := w.SetProperty(p); err != nil {
			return err
		}
	}
	all, err := w.Properties(c.Model)
	if err != nil {
		return err
	}
	if n := len(propertiesOf(all, c.Version).Tags); n > maxTags {
		return fmt.Errorf("%w: it would have %d tags, at most %d are allowed", ErrInvalid, n, maxTags)
	}
	return nil
}

// values returns the new values of properties by their names; "" removes one.
func (c PropertyChange) values() map[string]string {
	values := make(map[string]string)
	if c.Description != nil {
		values[descriptionProperty] = *c.Description
	}
	switch c.State {
	case Available: // as without the property
		values[stateProperty] = ""
	case Deprecated:
		values[stateProperty] = string(Deprecated)
	}
	for name, value := range c.Tags {
		values[tagProperty+name] = value
	}
	return values
}

// detail says what an event changed.
func detail(p metadata.Property) string {
	name, isTag := strings.CutPrefix(p.Name, tagProperty)
	switch {
	case p.Name == stateProperty && p.Value == "":
		return string(Available)
	case p.Name == stateProperty:
		return p.Value
	case isTag && p.Value == "":
		return "tag " + name + " removed"
	case isTag:
		return "tag " + name + "=" + p.Value
	}
	return "description"
}

func (c PropertyChange) check() error {
	err := errors.Join(CheckModelName(c.Model), checkChange(c.By))
	if c.Description != nil && (len(*c.Description) > maxReason || !utf8.ValidString(*c.Description)) {
		err = errors.Join(err, fmt.Errorf("%w: a description is text of at most %d bytes", ErrInvalid, maxReason))
	}
	if c.State != "" && (c.Version == 0 || c.State != Available && c.State != Deprecated) {
		err = errors.Join(err, fmt.Errorf("%w: a version can become %s or %s", ErrInvalid, Available, Deprecated))
	}
	return errors.Join(err, c.checkTags())
}

func (c PropertyChange) checkTags() (err error) {
	for name, value := range c.Tags {
		if !isName(name, maxAliasName) || len(value) > maxTag || !utf8.ValidString(value) {
			err = errors.Join(err, fmt.Errorf("%w: tag %.80q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most %d of them, and a value of at most %d bytes",
				ErrInvalid, name, maxAliasName, maxTag))
		}
	}
	return err
}

// propertiesOf returns the properties of a version, or of the model if it is 0.
func propertiesOf(all []metadata.Property, version int) Properties {
	var p Properties
	if version != 0 {
		p.State = Available
	}
	for _, one := range all {
		name, isTag := strings.CutPrefix(one.Name, tagProperty)
		switch {
		case one.Version != version:
		case one.Name == descriptionProperty:
			p.Description = one.Value
		case one.Name == stateProperty:
			p.State = State(one.Value)
		case isTag:
			if p.Tags == nil {
				p.Tags = make(map[string]string)
			}
			p.Tags[name] = one.Value
		}
	}
	return p
}

// Properties returns the properties of a version, or of the model if it is 0.
func (r *Registry) Properties(ctx context.Context, model string, version int) (p Properties, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		if _, err := (Removal{Model: model, Version: version}).removable(rows); err != nil {
			return err
		}
		all, err := rows.Properties(model)
		p = propertiesOf(all, version)
		return err
	})
	return p, err
}

// checkAvailable refuses to give a version that is deprecated to an alias or an
// application.
func checkAvailable(rows metadata.Reader, model string, version int) error {
	state, err := rows.Property(model, version, stateProperty)
	if err == nil && state != "" {
		err = fmt.Errorf("%s: %w", Ref{Model: model, Version: version}, ErrDeprecated)
	}
	return err
}
