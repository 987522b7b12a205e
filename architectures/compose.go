package architectures

import "fmt"

// A composer composes a graph layer by layer. Its methods take the names of the
// layers they read and return the name of the new layer. The first error is
// kept and returned by graph, so that a network's file reads like its table.
type composer struct {
	g    *Graph
	init Init // for convolutions and dense layers
	norm *BatchNorm
	err  error
}

func compose(input [3]int, init Init) *composer {
	c := &composer{g: &Graph{Input: Shape(input[:]), index: map[string]int{}}, init: init}
	for _, d := range input {
		if d < 1 {
			c.err = fmt.Errorf("input %v: height, width and channels must be positive", c.g.Input)
		}
	}
	return c
}

// row begins the next row of the table: later layers belong to it. The note is
// its description; if empty, the layers describe themselves.
func (c *composer) row(name, note string) { c.g.rows = append(c.g.rows, row{name: name, note: note}) }

func (c *composer) add(name string, op Op, inputs ...string) string {
	if c.err != nil {
		return name
	}
	if err := c.append(name, op, inputs); err != nil {
		c.err = fmt.Errorf("%s: %w", name, err)
	}
	return name
}

func (c *composer) append(name string, op Op, inputs []string) error {
	if _, ok := c.g.index[name]; ok || name == Input {
		return fmt.Errorf("two layers of this name")
	}
	shapes := make([]Shape, len(inputs))
	for i, in := range inputs {
		var err error
		if shapes[i], err = c.g.Shape(in); err != nil {
			return err
		}
	}
	shape, err := op.infer(shapes)
	if err != nil {
		return err
	}
	vs := op.variables(shapes)
	for i := range vs {
		vs[i].Name = name + "/" + vs[i].Name
	}
	c.g.index[name] = len(c.g.Layers)
	c.g.Layers = append(c.g.Layers, Layer{Name: name, Inputs: inputs, Op: op, Shape: shape, Variables: vs})
	last := &c.g.rows[len(c.g.rows)-1]
	last.layers = append(last.layers, name)
	return nil
}

// channels returns the number of channels of a layer's output.
func (c *composer) channels(name string) int {
	s, err := c.g.Shape(name)
	if err != nil {
		return 0 // an earlier error is kept and will be reported
	}
	return s.Channels()
}

// linear adds a convolution and, if the network has it, batch normalisation.
func (c *composer) linear(name, x string, conv Conv) string {
	if conv.Init == (Init{}) {
		conv.Init = c.init
	}
	x = c.add(name, conv, x)
	if c.norm != nil {
		x = c.add(name+"/bn", *c.norm, x)
	}
	return x
}

// conv adds linear followed by ReLU, the unit of most networks.
func (c *composer) conv(name, x string, conv Conv) string {
	return c.relu(name+"/relu", c.linear(name, x, conv))
}

func (c *composer) relu(name, x string) string { return c.add(name, Activation{Function: ReLU}, x) }

func (c *composer) relu6(name, x string) string { return c.add(name, Activation{Function: ReLU6}, x) }

func (c *composer) maxPool(name, x string, w Window) string { return c.add(name, Pool{Window: w}, x) }

func (c *composer) dense(name, x string, units int) string {
	return c.add(name, Dense{Units: units, Init: c.init}, x)
}

// hidden adds a dense layer followed by ReLU.
func (c *composer) hidden(name, x string, units int) string {
	return c.relu(name+"/relu", c.dense(name, x, units))
}

// graph completes the composition with the layer of the logits.
func (c *composer) graph(logits string) (*Graph, error) {
	c.g.Logits = logits
	return c.g, c.err
}
