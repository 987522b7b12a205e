// Package graph is the picture of a pipeline: its components and the ways of an image
// through them.
package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A Node is a component of a pipeline.
type Node struct {
	// Path is where the component is in the file, as the engine's metrics name it: for
	// example "root.pipeline.processors.0".
	Path      string `json:"path"`
	Kind      string `json:"kind"` // "input", "processor" or "output"
	Component string `json:"component"`
	Label     string `json:"label,omitempty"`
	// Detail is what tells the component from others of its kind, such as a folder or
	// the names of models, as the file has it.
	Detail string `json:"detail,omitempty"`
}

// An Edge is a way of images from one node to another.
type Edge struct {
	From int    `json:"from"` // indices of nodes
	To   int    `json:"to"`
	When string `json:"when,omitempty"` // "" is always
}

// A Graph has its nodes in the order of the file, so that edges lead from lower to
// higher indices.
type Graph struct {
	Name  string `json:"name"`
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// An outlet is where images leave a part of the pipeline.
type outlet struct {
	node int
	when string
}

// New returns the graph of a pipeline's file that has no mistakes, without aliases.
func New(root *yaml.Node) *Graph {
	g := &Graph{Nodes: []Node{}, Edges: []Edge{}}
	if name := Field(root, "name"); name != nil {
		g.Name = name.Value
	}
	from := g.source(Field(root, "input"), "root.input")
	from = g.chain(Field(Field(root, "pipeline"), "processors"), "root.pipeline.processors", from)
	g.sink(Field(root, "output"), "root.output", from)
	return g
}

// add adds a component that images reach from some outlets.
func (g *Graph) add(n Node, from []outlet) []outlet {
	g.Nodes = append(g.Nodes, n)
	at := len(g.Nodes) - 1
	for _, o := range from {
		g.Edges = append(g.Edges, Edge{o.node, at, o.when})
	}
	return []outlet{{at, ""}}
}

// source adds an input, and its own processors.
func (g *Graph) source(input *yaml.Node, path string) (out []outlet) {
	name, config := component(input)
	if name == "broker" {
		for i, child := range items(Field(config, "inputs")) {
			out = append(out, g.source(child, fmt.Sprintf("%s.broker.inputs.%d", path, i))...)
		}
	} else if name != "" {
		out = g.add(node(path, "input", name, input, config), nil)
	}
	return g.chain(Field(input, "processors"), path+".processors", out)
}

// chain adds processors one after the other.
func (g *Graph) chain(processors *yaml.Node, path string, from []outlet) []outlet {
	for i, p := range items(processors) {
		from = g.processor(p, fmt.Sprintf("%s.%d", path, i), from)
	}
	return from
}

// processor adds a processor and those inside of it.
func (g *Graph) processor(p *yaml.Node, path string, from []outlet) []outlet {
	name, config := component(p)
	if name == "" {
		return from
	}
	at := g.add(node(path, "processor", name, p, config), from)
	path += "." + name
	switch name {
	case "try", "catch", "for_each": // the configuration itself is the list
		return g.chain(config, path, at)
	case "switch":
		out := slices.Clone(at) // of images to which no case applies
		for i, c := range items(config) {
			when := outlet{at[0].node, text(Field(c, "check"))}
			out = append(out, g.chain(Field(c, "processors"), fmt.Sprintf("%s.%d.processors", path, i), []outlet{when})...)
		}
		return slices.Compact(out)
	}
	return g.chain(Field(config, "processors"), path+".processors", at)
}

// sink adds an output, after its own processors.
func (g *Graph) sink(output *yaml.Node, path string, from []outlet) {
	from = g.chain(Field(output, "processors"), path+".processors", from)
	name, config := component(output)
	switch name {
	case "":
	case "broker":
		for i, child := range items(Field(config, "outputs")) {
			g.sink(child, fmt.Sprintf("%s.broker.outputs.%d", path, i), from)
		}
	case "fallback":
		for i, child := range items(config) {
			g.sink(child, fmt.Sprintf("%s.fallback.%d", path, i), when(from, i > 0, "after a failure"))
		}
	case "switch":
		for i, c := range items(Field(config, "cases")) {
			check := text(Field(c, "check"))
			g.sink(Field(c, "output"), fmt.Sprintf("%s.switch.cases.%d.output", path, i), when(from, check != "", check))
		}
	default:
		g.add(node(path, "output", name, output, config), from)
	}
}

// when returns outlets with a condition.
func when(from []outlet, holds bool, condition string) []outlet {
	if !holds {
		return from
	}
	out := slices.Clone(from)
	for i := range out {
		out[i].when = condition
	}
	return out
}

// beside are the fields beside a component's name.
var beside = []string{"label", "processors"}

// component returns the name and the configuration of a component.
func component(n *yaml.Node) (name string, config *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return "", nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; !slices.Contains(beside, key) {
			return key, n.Content[i+1]
		}
	}
	return "", nil
}

// telling are the fields that tell a component from others, the first that it has. None
// of them is a secret.
var telling = []string{"models", "path", "topics", "topic", "images", "records", "table", "index", "into", "to", "resource", "url", "urls", "check", "key"}

func node(path, kind, name string, n, config *yaml.Node) Node {
	return Node{Path: path, Kind: kind, Component: name, Label: text(Field(n, "label")), Detail: detail(config)}
}

// detail returns the value of the first telling field, or a configuration that is a
// text, such as that of a mapping, in its first line.
func detail(config *yaml.Node) string {
	if config == nil {
		return ""
	}
	if config.Kind == yaml.ScalarNode {
		first, _, more := strings.Cut(strings.TrimSpace(config.Value), "\n")
		if more {
			first += " …"
		}
		return first
	}
	for _, field := range telling {
		if found := text(Field(config, field)); found != "" {
			return found
		}
	}
	return ""
}

// text returns a value as text: a list with commas.
func text(n *yaml.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == yaml.ScalarNode:
		return n.Value
	case n.Kind == yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			all = append(all, text(item))
		}
		return strings.Join(all, ", ")
	}
	return ""
}

// Field returns the value of a field of a mapping in YAML, nil if it has none or if the
// node is no mapping.
func Field(n *yaml.Node, field string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == field {
			return n.Content[i+1]
		}
	}
	return nil
}

func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// Title is the name of a node for people: its label, or else its component.
func (n Node) Title() string { return cmp.Or(n.Label, n.Component) }
