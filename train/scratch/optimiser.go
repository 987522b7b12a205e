package scratch

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures/builder"
)

// AdamW's constants: Kingma and Ba, "Adam", ICLR 2015, algorithm 1.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// descend adds one step of the optimiser for every trainable variable.
func (c *compiler) descend(s *op.Scope, b *builder.Built, loss, rate tf.Output) {
	var trained []builder.Variable
	var values []tf.Output
	for _, v := range b.Variables {
		if v.Trainable {
			trained, values = append(trained, v), append(values, v.Value)
		}
	}
	gradients := op.Gradients(s, []tf.Output{loss}, values)
	if s.Err() != nil {
		return // Finalize reports it
	}
	o := s.SubScope("optimiser")
	adam := c.moments(o)
	for i, v := range trained {
		each := o.SubScope(v.Name)
		var step *tf.Operation
		if c.options.Optimiser == AdamW {
			step = adam(each, v, rate, gradients[i])
		} else {
			step = c.momentum(each, v, rate, gradients[i])
		}
		if s.Err() != nil {
			return
		}
		c.program.names.update = append(c.program.names.update, step.Name())
	}
}

// momentum is a = μa + (∇ + λw), w -= ηa.
func (c *compiler) momentum(s *op.Scope, v builder.Variable, rate, gradient tf.Output) *tf.Operation {
	if v.Decay && c.options.WeightDecay > 0 {
		penalty := op.Mul(s.SubScope("penalty"), v.Value, op.Const(s.SubScope("decay"), float32(c.options.WeightDecay)))
		gradient = op.AddN(s.SubScope("penalised"), []tf.Output{gradient, penalty})
	}
	accumulator := c.keep(s, v, "momentum")
	factor := op.Const(s.SubScope("factor"), float32(c.options.Momentum))
	return op.ResourceApplyMomentum(s, v.Handle, accumulator, rate, gradient, factor)
}

// moments returns AdamW's step: w -= ηλw, then Adam's.
func (c *compiler) moments(s *op.Scope) func(s *op.Scope, v builder.Variable, rate, gradient tf.Output) *tf.Operation {
	if c.options.Optimiser != AdamW {
		return nil
	}
	power1, power2 := scalar(s, "beta1_power", tf.Float), scalar(s, "beta2_power", tf.Float)
	c.program.names.beta1Power, c.program.names.beta2Power = name(power1), name(power2)
	b1, b2 := op.Const(s.SubScope("beta1"), float32(beta1)), op.Const(s.SubScope("beta2"), float32(beta2))
	small := op.Const(s.SubScope("epsilon"), float32(epsilon))
	return func(s *op.Scope, v builder.Variable, rate, gradient tf.Output) *tf.Operation {
		first, second := c.keep(s, v, "first_moment"), c.keep(s, v, "second_moment")
		if v.Decay && c.options.WeightDecay > 0 {
			d := s.SubScope("decay")
			part := op.Mul(d.SubScope("rate"), rate, op.Const(d.SubScope("factor"), float32(c.options.WeightDecay)))
			decayed := op.AssignSubVariableOp(d, v.Handle, op.Mul(d, v.Value, part))
			// Always in this order, because float sums depend on it.
			s = s.WithControlDependencies(decayed)
		}
		return op.ResourceApplyAdam(s, v.Handle, first, second, power1, power2, rate, b1, b2, small, gradient)
	}
}

// keep adds a variable of a weight's shape to the run's state, initially zero.
func (c *compiler) keep(s *op.Scope, v builder.Variable, kind string) tf.Output {
	s = s.SubScope(kind)
	key := v.Name + "/" + kind
	shape := tf.MakeShape(dims(v.Shape)...)
	handle := op.VarHandleOp(s, tf.Float, shape, op.VarHandleOpSharedName(key))
	value := op.Placeholder(s, tf.Float, op.PlaceholderShape(shape))
	read := op.ReadVariableOp(s, handle, tf.Float)
	assigned := op.AssignVariableOp(s, handle, value)
	if s.Err() == nil {
		c.program.slots = append(c.program.slots, slot{
			name: key, shape: dims(v.Shape), read: name(read), value: name(value), assigned: assigned.Name(),
		})
	}
	return handle
}
