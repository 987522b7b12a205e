package builder

import (
	"hash/fnv"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
)

// dropout draws its mask from a counter-based generator keyed by the run's
// seed, the layer's name and the step: a checkpoint needs no extra state.
func (b *build) dropout(s *op.Scope, d architectures.Dropout, x tf.Output, name string) tf.Output {
	if !b.mode.training || d.Rate == 0 {
		return x
	}
	hash := fnv.New64a()
	hash.Write([]byte(name))
	key := op.BitwiseXor(s, b.mode.seed, constant(s, "layer", int64(hash.Sum64())))
	seed := op.Pack(s, []tf.Output{key, b.mode.step})
	uniform := op.StatelessRandomUniform(s, op.Shape(s, x), seed)
	keep := op.Cast(s, op.GreaterEqual(s, uniform, constant(s, "rate", float32(d.Rate))), tf.Float)
	scaled := op.Mul(s.SubScope("scaled"), x, constant(s, "scale", float32(1/(1-d.Rate))))
	return op.Mul(s, scaled, keep)
}
