package architectures

import "fmt"

// Input is the name of the network's input in layers.
const Input = "images"

// A Layer is one operation of a network, with its inferred output.
type Layer struct {
	// Name is unique in the graph and independent of the layers' order.
	Name string
	// Inputs are names of earlier layers, or Input.
	Inputs []string
	Op     Op
	// Shape is the output's shape without the batch dimension.
	Shape     Shape
	Variables []Variable
}

// A Graph is a network for a given input size and number of classes, with its
// layers in an order in which each follows its inputs.
type Graph struct {
	Input  Shape
	Layers []Layer
	// Logits is the layer whose softmax gives the probabilities.
	Logits string
	// Auxiliary lists the logits of the heads used only in training.
	Auxiliary []string
	// AuxiliaryWeight is the paper's factor for each auxiliary loss.
	AuxiliaryWeight float64
	rows            []row
	index           map[string]int
}

// Layer finds a layer by name.
func (g *Graph) Layer(name string) (Layer, bool) {
	i, ok := g.index[name]
	if !ok {
		return Layer{}, false
	}
	return g.Layers[i], true
}

// Shape returns the shape of a layer's output or, for the name Input, of the
// input.
func (g *Graph) Shape(name string) (Shape, error) {
	if name == Input {
		return g.Input, nil
	}
	l, ok := g.Layer(name)
	if !ok {
		return nil, fmt.Errorf("no layer %q", name)
	}
	return l.Shape, nil
}

// Variables lists all variables in the layers' order, including those of
// auxiliary heads.
func (g *Graph) Variables() []Variable {
	var all []Variable
	for _, l := range g.Layers {
		all = append(all, l.Variables...)
	}
	return all
}

// Parameters counts the values trained by gradients and the running statistics
// of batch normalisation.
func (g *Graph) Parameters() (trainable, statistics int) {
	return count(g.Variables())
}

// Serving returns the graph without the layers used only by auxiliary heads.
func (g *Graph) Serving() *Graph {
	needed := map[string]bool{g.Logits: true}
	for i := len(g.Layers) - 1; i >= 0; i-- {
		if l := g.Layers[i]; needed[l.Name] {
			for _, in := range l.Inputs {
				needed[in] = true
			}
		}
	}
	out := &Graph{Input: g.Input, Logits: g.Logits, index: map[string]int{}}
	for _, l := range g.Layers {
		if needed[l.Name] {
			out.index[l.Name] = len(out.Layers)
			out.Layers = append(out.Layers, l)
		}
	}
	for _, r := range g.rows {
		if needed[r.output()] {
			out.rows = append(out.rows, r)
		}
	}
	return out
}

func count(vs []Variable) (trainable, statistics int) {
	for _, v := range vs {
		if v.Trainable {
			trainable += v.Elements()
		} else {
			statistics += v.Elements()
		}
	}
	return trainable, statistics
}
