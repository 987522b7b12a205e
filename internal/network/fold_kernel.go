package network

import (
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// A kernel is the weight of a convolution or a matrix product.
type kernel struct {
	TensorID
	channels   int64   // of the output
	scaleShape []int64 // shape of one factor per channel that broadcasts over the kernel
}

// kernel returns the fixed kernel of node, if it has one.
func (a *affineFolder) kernel(node *nodepb.NodeDef) (kernel, bool) {
	in := dataInputs(node)
	if len(in) != 2 || len(in) != len(node.GetInput()) || !channelsLast(node) {
		return kernel{}, false
	}
	k := kernel{TensorID: mustID(in[1])}
	if !a.fixed[k.Node] || a.fixed[mustID(in[0]).Node] {
		return kernel{}, false
	}
	shape, err := a.graph.Shape(k.Name())
	if err != nil {
		return kernel{}, false
	}
	for _, d := range shape {
		if d < 0 {
			return kernel{}, false
		}
	}
	switch op := node.GetOp(); {
	case op == "Conv2D" && len(shape) == 4: // [H, W, in, out]
		k.channels = shape[3]
		k.scaleShape = []int64{k.channels}
	case op == "DepthwiseConv2dNative" && len(shape) == 4: // [H, W, in, multiplier], output channel in·multiplier + m
		k.channels = shape[2] * shape[3]
		k.scaleShape = []int64{shape[2], shape[3]}
	case op == "MatMul" && len(shape) == 2 && node.GetAttr()["transpose_b"].GetB(): // [out, in]
		k.channels = shape[0]
		k.scaleShape = []int64{k.channels, 1}
	case op == "MatMul" && len(shape) == 2: // [in, out]
		k.channels = shape[1]
		k.scaleShape = []int64{k.channels}
	default:
		return kernel{}, false
	}
	return k, true
}
