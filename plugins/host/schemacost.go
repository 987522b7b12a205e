package host

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tkit/internal/printable"
)

// A schema is a program: one of 3 kB can cause 2³² checks if each of its
// definitions uses the next one twice. The library that runs it cannot be
// interrupted, so the checks are counted first. Each pair of a schema and a
// value is counted once, and its sum reused: counting 2³² takes 33 steps.
type counter struct {
	known map[meeting]float64
	under map[meeting]bool // being counted
}

// meeting is a schema and the value that it checks. A nil value represents any
// value without members.
type meeting struct {
	schema *jsonschema.Schema
	value  *value
}

// maxChecks bounds the checks that a schema may cause for a value without
// members and for a configuration.
const maxChecks = 1_000_000

// value is a part of a configuration, with its members.
type value struct {
	size    int // of its text, in words
	named   map[string]*value
	members []*value // the members of an object or array, and the names of the former
}

func valueOf(from any) *value {
	v := &value{size: 1}
	switch from := from.(type) {
	case string:
		v.size += len(from) / 8
	case []any:
		for _, member := range from {
			v.members = append(v.members, valueOf(member))
		}
	case map[string]any:
		v.named = map[string]*value{}
		for name, member := range from {
			v.named[name] = valueOf(member)
			v.members = append(v.members, v.named[name], valueOf(name))
		}
	}
	for _, member := range v.members {
		v.size += member.size
	}
	return v
}

// affordable returns an error unless a configuration can be checked by a schema
// in bounded time.
func affordable(s *jsonschema.Schema, config any) error {
	c := counter{map[meeting]float64{}, map[meeting]bool{}}
	return c.check(meeting{s, valueOf(config)})
}

// affordableSchema returns an error unless each part of a schema can check a
// value without members in bounded time.
func affordableSchema(root *jsonschema.Schema) error {
	c := counter{map[meeting]float64{}, map[meeting]bool{}}
	seen, next := map[*jsonschema.Schema]bool{}, []*jsonschema.Schema{root}
	for len(next) > 0 {
		s := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		if err := c.check(meeting{s, nil}); err != nil {
			return err
		}
		next = append(append(next, sameValue(s)...), members(s)...)
	}
	return nil
}

func (c counter) check(m meeting) error {
	n, err := c.count(m)
	if err == nil && n > maxChecks {
		err = fmt.Errorf("it takes %.3g checks, more than the allowed %.3g: use fewer references between definitions", n, float64(maxChecks))
	}
	return err
}

func (c counter) count(m meeting) (float64, error) {
	if n, known := c.known[m]; known {
		return n, nil
	}
	if c.under[m] {
		return 0, errors.New("it refers to itself endlessly")
	}
	if m.schema.DynamicRef != nil || m.schema.RecursiveRef != nil {
		return 0, errors.New("it has a $dynamicRef or a $recursiveRef, whose target depends on the context; use $ref")
	}
	c.under[m] = true
	defer delete(c.under, m)
	sum := own(m.schema)
	if m.value != nil {
		sum *= float64(m.value.size)
	}
	for _, next := range meetings(m) {
		n, err := c.count(next)
		if err != nil {
			return 0, err
		}
		if sum += n; len(c.known) > maxChecks {
			return sum, nil // each known one is a check
		}
	}
	c.known[m] = sum
	return sum, nil
}

// meetings returns the pairs that a check of m leads to.
func meetings(m meeting) []meeting {
	var all []meeting
	for _, s := range sameValue(m.schema) {
		all = append(all, meeting{s, m.value})
	}
	if m.value == nil {
		return all
	}
	for name, s := range m.schema.Properties {
		if v := m.value.named[name]; v != nil {
			all = append(all, meeting{s, v})
		}
	}
	for _, s := range anyMember(m.schema) {
		for _, v := range m.value.members {
			all = append(all, meeting{s, v})
		}
	}
	return all
}

// own counts the checks of a schema's own keywords.
func own(s *jsonschema.Schema) float64 {
	n := 1 + len(s.Required) + patternSize(s.Pattern)
	for _, names := range s.DependentRequired {
		n += 1 + len(names)
	}
	for _, dependency := range s.Dependencies {
		names, _ := dependency.([]string)
		n += 1 + len(names)
	}
	for pattern := range s.PatternProperties {
		n += patternSize(pattern)
	}
	if s.Enum != nil {
		n += valueOf(s.Enum.Values).size
	}
	if s.Const != nil {
		n += valueOf(*s.Const).size
	}
	return float64(n)
}

// sameValue returns the schemas that check the same value as s.
func sameValue(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat([]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf)
	for _, dependent := range s.DependentSchemas {
		all = append(all, dependent)
	}
	for _, dependency := range s.Dependencies {
		all = append(all, schemas(dependency)...)
	}
	return slices.DeleteFunc(all, func(s *jsonschema.Schema) bool { return s == nil })
}

// members returns the schemas that check the members of the value.
func members(s *jsonschema.Schema) []*jsonschema.Schema {
	all := anyMember(s)
	for _, property := range s.Properties {
		all = append(all, property)
	}
	return all
}

// anyMember returns those that may check any member, whatever its name.
func anyMember(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat([]*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems},
		s.PrefixItems, schemas(s.AdditionalProperties), schemas(s.Items), schemas(s.AdditionalItems))
	for _, property := range s.PatternProperties {
		all = append(all, property)
	}
	return slices.DeleteFunc(all, func(s *jsonschema.Schema) bool { return s == nil })
}

// schemas returns the schemas in a field that may have one, several or none.
func schemas(member any) []*jsonschema.Schema {
	switch m := member.(type) {
	case *jsonschema.Schema:
		return []*jsonschema.Schema{m}
	case []*jsonschema.Schema:
		return m
	}
	return nil
}

// pattern is a regular expression with the size of its program, which
// determines the time of a match.
type pattern struct {
	*regexp.Regexp
	size int
}

const (
	maxPatternBytes = 1 << 10
	maxPatternSize  = 2000
)

func boundedPattern(text string) (jsonschema.Regexp, error) {
	if len(text) > maxPatternBytes {
		return nil, fmt.Errorf("a pattern has %d bytes, more than the allowed %d", len(text), maxPatternBytes)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", printable.Line(text, 100), err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", printable.Line(text, 100), err)
	}
	if len(program.Inst) > maxPatternSize {
		return nil, fmt.Errorf("the pattern %q repeats too much", printable.Line(text, 100))
	}
	compiled, err := regexp.Compile(text)
	return pattern{compiled, len(program.Inst)}, err
}

func patternSize(r jsonschema.Regexp) int {
	if p, ok := r.(pattern); ok {
		return 1 + p.size
	}
	return 0
}
