package builder

import (
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"tkit/architectures"
)

// layer adds one layer to its own scope. Errors stay in the scope.
func (b *build) layer(s *op.Scope, l architectures.Layer, shapes []architectures.Shape) tf.Output {
	in := make([]tf.Output, len(l.Inputs))
	for i, name := range l.Inputs {
		in[i] = b.outputs[name]
	}
	x, shape, v := in[0], shapes[0], b.variables(s, l)
	switch o := l.Op.(type) {
	case architectures.Conv:
		return conv(s, o, x, shape, v)
	case architectures.Depthwise:
		x, padding := surround(s, o.Window, shape).around(s, x, 0)
		return op.DepthwiseConv2dNative(s, x, v["kernel"].Value, strides(o.Window), padding)
	case architectures.Dense:
		return op.BiasAdd(s, op.MatMul(s, x, v["kernel"].Value), v["bias"].Value)
	case architectures.RBF:
		return rbf(s, o, x)
	case architectures.BatchNorm:
		return b.batchNorm(s, o, x, shape, v)
	case architectures.Activation:
		return activation(s, o, x)
	case architectures.Pool:
		return pool(s, o, x, shape)
	case architectures.Subsampling:
		return subsampling(s, o, x, v)
	case architectures.LRN:
		return op.LRN(s, x, op.LRNDepthRadius(int64(o.Radius)), op.LRNBias(float32(o.Bias)),
			op.LRNAlpha(float32(o.Alpha)), op.LRNBeta(float32(o.Beta)))
	case architectures.Dropout:
		return b.dropout(s, o, x, l.Name)
	case architectures.GlobalAverage:
		return op.Mean(s, x, constant(s, "axes", []int32{1, 2}))
	case architectures.Flatten:
		return op.Reshape(s, x, constant(s, "shape", []int32{-1, int32(l.Shape.Elements())}))
	case architectures.Add:
		return sum(s, in)
	case architectures.Concat:
		return op.ConcatV2(s, in, constant(s, "axis", int32(len(l.Shape))))
	case architectures.PadShortcut:
		return padShortcut(s, o, x, shape)
	default:
		s.UpdateErr(fmt.Sprintf("%T", l.Op), fmt.Errorf("the builder does not support this kind of layer"))
		return tf.Output{}
	}
}

func sum(s *op.Scope, in []tf.Output) tf.Output {
	last := len(in) - 1
	if last > 1 {
		return op.AddV2(s, sum(nested(s, last), in[:last]), in[last])
	}
	return op.AddV2(s, in[0], in[1])
}

func activation(s *op.Scope, a architectures.Activation, x tf.Output) tf.Output {
	switch a.Function {
	case architectures.ScaledTanh:
		inner := op.Mul(s.SubScope("inner"), x, constant(s, "slope", float32(2./3)))
		return op.Mul(s, op.Tanh(s, inner), constant(s, "amplitude", float32(1.7159)))
	case architectures.ReLU6:
		return op.Relu6(s, x)
	}
	return op.Relu(s, x)
}

// rbf computes −Σ(x−c)² directly: the expanded form x² − 2xc + c² would lose
// the digits that distinguish close centres.
func rbf(s *op.Scope, r architectures.RBF, x tf.Output) tf.Output {
	rows := op.ExpandDims(s, x, constant(s, "axis", int32(1)))
	d := op.SquaredDifference(s, rows, constant(s, "centres", r.Centres))
	return op.Neg(s, op.Sum(s, d, constant(s, "features", int32(2))))
}

// batchNorm uses TensorFlow's fused kernel. Its third output is the unbiased
// variance of the batch, which the running variance follows.
func (b *build) batchNorm(s *op.Scope, n architectures.BatchNorm, x tf.Output, shape architectures.Shape, v map[string]Variable) tf.Output {
	gamma := v["gamma"].Value
	if n.NoScale {
		ones := make([]float32, shape.Channels())
		for i := range ones {
			ones[i] = 1
		}
		gamma = constant(s, "ones", ones)
	}
	mean, variance := v["moving_mean"], v["moving_variance"]
	epsilon := op.FusedBatchNormV3Epsilon(float32(n.Epsilon))
	if !b.mode.training {
		y, _, _, _, _, _ := op.FusedBatchNormV3(s, x, gamma, v["beta"].Value, mean.Value, variance.Value,
			epsilon, op.FusedBatchNormV3IsTraining(false))
		return y
	}
	none := constant(s, "none", []float32{})
	y, batchMean, batchVariance, _, _, _ := op.FusedBatchNormV3(s, x, gamma, v["beta"].Value, none, none,
		epsilon, op.FusedBatchNormV3IsTraining(true))
	b.follow(s.SubScope("mean"), mean, batchMean, n.Momentum)
	b.follow(s.SubScope("variance"), variance, batchVariance, n.Momentum)
	return y
}

// follow moves a running statistic towards the batch's by 1 − momentum.
func (b *build) follow(s *op.Scope, running Variable, batch tf.Output, momentum float64) {
	gap := op.Sub(s, running.Value, batch)
	step := op.Mul(s, gap, constant(s, "rate", float32(1-momentum)))
	b.built.Updates = append(b.built.Updates, op.AssignSubVariableOp(s, running.Handle, step))
}

func constant(s *op.Scope, name string, value any) tf.Output {
	return op.Const(s.SubScope(name), value)
}

// nested returns a separate scope for each of several operations of one kind in
// a layer.
func nested(s *op.Scope, i int) *op.Scope { return s.SubScope(fmt.Sprintf("part%d", i)) }
