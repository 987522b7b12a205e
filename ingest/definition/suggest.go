package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

	"tkit/ingest/components"
	"tkit/internal/spelling"
)

// A suggester finds what was probably meant by a misspelt name.
type suggester struct {
	root       *yaml.Node
	components map[string][]*service.ConfigView // of a name: an input and an output may share it
}

func newSuggester(env *service.Environment, root *yaml.Node) suggester {
	s := suggester{root: root, components: make(map[string][]*service.ConfigView)}
	add := func(name string, view *service.ConfigView) { s.components[name] = append(s.components[name], view) }
	env.WalkInputs(add)
	env.WalkOutputs(add)
	env.WalkProcessors(add)
	env.WalkCaches(add)
	env.WalkRateLimits(add)
	return s
}

// A place is a key of the file with the keys above it, the outermost first.
type place struct {
	key   *yaml.Node
	above []string
}

// finding describes one finding of the engine.
func (s suggester) finding(l service.Lint) Finding {
	f := Finding{Line: l.Line, Problem: l.What}
	keys := placesAt(s.root, l.Line, nil)
	switch l.Type {
	case service.LintUnknown:
		for _, p := range keys {
			if strings.Contains(l.What, "field "+p.key.Value+" ") {
				f.Problem = fmt.Sprintf("there is no field %q here", p.key.Value)
				f.Suggestion = nearest(p.key.Value, s.fieldsIn(p.above))
			}
		}
	case service.LintComponentMissing, service.LintComponentNotFound:
		if len(keys) > 0 {
			name := keys[len(keys)-1].key.Value
			f.Problem = fmt.Sprintf("there is no component %q here", name)
			f.Suggestion = nearest(name, allAllowed())
		}
	case service.LintMissing:
		f.Problem += ": it is required"
	}
	return f
}

// nearest returns a quoted suggestion, or "".
func nearest(name string, names []string) string {
	if found := spelling.Nearest(name, names); found != "" {
		return fmt.Sprintf("%q", found)
	}
	return ""
}

// allAllowed returns the names of the allowed components of all kinds.
func allAllowed() (names []string) {
	for kind := range stock {
		names = append(names, allowed(kind)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// placesAt returns the keys at a line, from the outside in.
func placesAt(node *yaml.Node, line int, above []string) (found []place) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Line == line {
				found = append(found, place{key, slices.Clone(above)})
			}
			found = append(found, placesAt(node.Content[i+1], line, append(above, key.Value))...)
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			found = append(found, placesAt(item, line, above)...)
		}
	}
	return found
}

// fieldsIn returns the fields of the innermost component, or else those of the
// pipeline.
func (s suggester) fieldsIn(above []string) []string {
	for _, name := range slices.Backward(above) {
		if views := s.components[name]; len(views) > 0 {
			return fieldNames(views)
		}
	}
	return slices.Concat(rootFields, components.DeliveryFields(), []string{"processors", "threads"})
}

// fieldNames returns the names of a component's fields, also of nested ones.
func fieldNames(views []*service.ConfigView) (names []string) {
	var collect func(fieldSpec)
	collect = func(s fieldSpec) {
		for _, child := range s.Children {
			names = append(names, child.Name)
			collect(child)
		}
	}
	for _, view := range views {
		if spec, err := specOf(view); err == nil { // else there is no suggestion
			collect(spec)
		}
	}
	return names
}

// linesOf returns the lines of the keys of a name, and that of the file's beginning if
// there are none.
func linesOf(root *yaml.Node, name string) []int {
	if lines := keyLines(root, name); len(lines) > 0 {
		return lines
	}
	return []int{root.Line}
}

func keyLines(node *yaml.Node, name string) (lines []int) {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Value == name {
			lines = append(lines, child.Line)
		}
		lines = append(lines, keyLines(child, name)...)
	}
	return lines
}
