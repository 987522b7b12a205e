package scratch

import (
	"bytes"
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/internal/tensorflow"
)

// The names of a step's feeds and fetches.
type names struct {
	images, labels         string // training
	rate, seed, step       string
	beta1Power, beta2Power string // only AdamW
	loss                   string
	update                 []string // targets

	evalImages, evalLogits string // validation
}

// A slot is a variable of the run's state: a weight, or an optimiser's variable
// for one.
type slot struct {
	name                  string
	shape                 []int64
	trainable             bool
	weight                bool
	read, value, assigned string // fetch, feed, target
}

// program is the training graph with its names.
type program struct {
	names names
	slots []slot
	graph *tensorflow.Graph
}

// compile builds the graph of a training step and of validation: two forms of
// the network that share their variables by name.
func compile(g *architectures.Graph, o Options) (*program, error) {
	s := op.NewScope()
	c := &compiler{root: s, options: o}
	p := &c.program
	shape := tf.MakeShape(-1, int64(g.Input[0]), int64(g.Input[1]), int64(g.Input[2]))

	t := s.SubScope("training")
	images := op.Placeholder(t.SubScope("images"), tf.Float, op.PlaceholderShape(shape))
	seed, step := scalar(t, "seed", tf.Int64), scalar(t, "step", tf.Int64)
	rate := scalar(t, "rate", tf.Float)
	built, err := builder.Build(t, g, images, builder.Training(seed, step))
	if err != nil {
		return nil, err
	}
	labels := op.Placeholder(t.SubScope("labels"), tf.Float)
	loss := c.loss(t.SubScope("loss"), built, labels, float32(g.AuxiliaryWeight))
	c.descend(t, built, loss, rate)
	for _, u := range built.Updates {
		p.names.update = append(p.names.update, u.Name())
	}
	c.state(built.Variables)

	e := s.SubScope("validation")
	evalImages := op.Placeholder(e.SubScope("images"), tf.Float, op.PlaceholderShape(shape))
	evaluated, err := builder.Build(e, g, evalImages, builder.Inference)
	if err != nil {
		return nil, err
	}

	p.names.images, p.names.labels = name(images), name(labels)
	p.names.rate, p.names.seed, p.names.step = name(rate), name(seed), name(step)
	p.names.loss = name(loss)
	p.names.evalImages, p.names.evalLogits = name(evalImages), name(evaluated.Logits)

	graph, err := s.Finalize()
	if err != nil {
		return nil, fmt.Errorf("training graph: %w", err)
	}
	var raw bytes.Buffer
	if _, err := graph.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("training graph: %w", err)
	}
	if p.graph, err = tensorflow.ImportGraphBytes(raw.Bytes()); err != nil {
		return nil, fmt.Errorf("training graph: %w", err)
	}
	return p, nil
}

// compiler is the state of one compile.
type compiler struct {
	root    *op.Scope
	options Options
	program program
}

// loss is the mean cross-entropy over the batch, plus the weighted losses of
// auxiliary heads.
func (c *compiler) loss(s *op.Scope, b *builder.Built, labels tf.Output, auxiliary float32) tf.Output {
	mean := func(s *op.Scope, logits tf.Output) tf.Output {
		each, _ := op.SoftmaxCrossEntropyWithLogits(s, logits, labels)
		return op.Mean(s, each, op.Const(s.SubScope("axis"), []int32{0}))
	}
	losses := []tf.Output{mean(s.SubScope("logits"), b.Logits)}
	for i, logits := range b.Auxiliary {
		a := s.SubScope(fmt.Sprintf("auxiliary%d", i+1))
		losses = append(losses, op.Mul(a, mean(a, logits), op.Const(a.SubScope("weight"), auxiliary)))
	}
	return op.AddN(s, losses)
}

// state lists the variables and adds operations to read and set them.
func (c *compiler) state(variables []builder.Variable) {
	s := c.root.SubScope("state")
	assigned := builder.Assign(s, variables)
	for i, v := range variables {
		c.program.slots = append(c.program.slots, slot{
			name: v.Name, shape: dims(v.Shape), trainable: v.Trainable, weight: true,
			read: name(v.Value), value: name(assigned[i].Value), assigned: assigned[i].Op.Name(),
		})
	}
}

func scalar(s *op.Scope, name string, dt tf.DataType) tf.Output {
	return op.Placeholder(s.SubScope(name), dt, op.PlaceholderShape(tf.ScalarShape()))
}

func name(o tf.Output) string { return fmt.Sprintf("%s:%d", o.Op.Name(), o.Index) }

func dims(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}
