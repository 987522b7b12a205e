package architectures

import (
	"fmt"
	"strings"
)

// An Endpoint is one row of the paper's table: a named point of the network,
// its output, and the parameters of the layers since the previous row.
type Endpoint struct {
	Name string `json:"name"`
	// Layer is the endpoint's layer, by which a network built from the graph
	// can be cut there.
	Layer string `json:"layer"`
	// Operation describes the row like the paper: "7×7/2, 64".
	Operation string `json:"operation"`
	// Output is the shape without the batch dimension.
	Output Shape `json:"output"`
	// Trainable and Statistics count parameters like Graph.Parameters.
	Trainable  int `json:"trainable"`
	Statistics int `json:"statistics,omitempty"`
	// Auxiliary marks heads used only in training.
	Auxiliary bool `json:"auxiliary,omitempty"`
}

// Table lists the network's endpoints from input to output.
func (g *Graph) Table() []Endpoint {
	auxiliary := map[string]bool{}
	for _, name := range g.Auxiliary {
		auxiliary[name] = true
	}
	table := make([]Endpoint, len(g.rows))
	for i, r := range g.rows {
		var vs []Variable
		for _, name := range r.layers {
			l, _ := g.Layer(name)
			vs = append(vs, l.Variables...)
		}
		out, _ := g.Layer(r.output())
		e := Endpoint{Name: r.name, Layer: out.Name, Operation: g.describe(r), Output: out.Shape, Auxiliary: auxiliary[out.Name]}
		e.Trainable, e.Statistics = count(vs)
		table[i] = e
	}
	return table
}

// Outputs maps each endpoint's name to its layer.
func (g *Graph) Outputs() map[string]string {
	out := make(map[string]string, len(g.rows))
	for _, r := range g.rows {
		out[r.name] = r.output()
	}
	return out
}

// A row collects the layers of one endpoint; the last one is its output.
type row struct {
	name, note string
	layers     []string
}

func (r row) output() string { return r.layers[len(r.layers)-1] }

func (g *Graph) describe(r row) string {
	if r.note != "" {
		return r.note
	}
	var parts []string
	for _, name := range r.layers {
		l, _ := g.Layer(name)
		if s := fmt.Sprint(l.Op); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}
