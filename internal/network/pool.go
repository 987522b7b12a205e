package network

import (
	"fmt"
	"slices"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// Pool selects how a trunk turns an endpoint [N, H, W, C] into a bottleneck.
type Pool string

const (
	PoolNone    Pool = ""        // unchanged, of any rank
	PoolAverage Pool = "avg"     // mean over H and W: [N, C]
	PoolGrid2   Pool = "avg2"    // means over a 2×2 grid, flattened: [N, 4·C]
	PoolGrid4   Pool = "avg4"    // means over a 4×4 grid, flattened: [N, 16·C]
	PoolFlatten Pool = "flatten" // [N, H·W·C]
	// PoolLayers is the mean over H and W, followed by the maxima over H and W of
	// all maps among the network's endpoints up to this one, from the input on:
	// [N, C + ΣCᵢ]. A small spot that an early layer sees is lost in the mean of
	// the last.
	PoolLayers Pool = "layers"
)

// pools lists the valid pools.
func pools() []Pool {
	return []Pool{PoolNone, PoolAverage, PoolGrid2, PoolGrid4, PoolFlatten, PoolLayers}
}

// grid returns the cells per side of a grid pool, 0 for the others.
func (p Pool) grid() int64 {
	switch p {
	case PoolGrid2:
		return 2
	case PoolGrid4:
		return 4
	}
	return 0
}

// pool returns the nodes that pool the endpoint at, described by port, after the
// given nodes, and the resulting tensor.
func (n *Network) pool(nodes []*nodepb.NodeDef, at TensorID, port TensorInfo, p Pool) ([]*nodepb.NodeDef, TensorInfo, error) {
	x := newIndex(nodes)
	if p == PoolLayers {
		return n.layers(x, at, port)
	}
	return p.nodes(x, at, port)
}

// nodes returns the nodes of a pool that needs no other endpoint.
//
// A grid's windows have the stride ⌊H/g⌋ and the size H-(g-1)·⌊H/g⌋, likewise
// in W: they cover the map, and overlap if g does not divide it.
func (p Pool) nodes(x *index, at TensorID, in TensorInfo) ([]*nodepb.NodeDef, TensorInfo, error) {
	out := TensorInfo{Name: bottleneck, Tensor: at.Name(), DataType: in.DataType, Shape: in.Shape}
	if !slices.Contains(pools(), p) {
		return nil, out, fmt.Errorf("unknown pool %q, have %q", p, pools())
	}
	if p == PoolNone {
		return nil, out, nil
	}
	shape := in.Shape
	spatial := p != PoolFlatten
	if len(shape) < 2 || spatial && len(shape) != 4 {
		return nil, out, fmt.Errorf("pool %q does not fit an endpoint of shape %v", p, shape)
	}
	if spatial && x.channelsFirst(at.Node) {
		return nil, out, fmt.Errorf("pool %q needs channels last (NHWC)", p)
	}
	name := x.freeName(bottleneck)
	dtype := typeAttr(in.DataType)
	if p == PoolAverage {
		out.Tensor, out.Shape = TensorID{name, 0}.Name(), []int64{shape[0], shape[3]}
		return reduced("Mean", name, at, dtype), out, nil
	}

	var nodes []*nodepb.NodeDef
	from := at
	features := int64(1)
	if g := p.grid(); g > 0 {
		h, w := shape[1], shape[2]
		if h < g || w < g {
			return nil, out, fmt.Errorf("pool %q needs a static map of at least %d×%d, the endpoint has %d×%d", p, g, g, h, w)
		}
		strideH, strideW := h/g, w/g
		cells := newNode("AvgPool", name+"/cells", attrs{
			"T":           dtype,
			"ksize":       intsAttr(1, h-(g-1)*strideH, w-(g-1)*strideW, 1),
			"strides":     intsAttr(1, strideH, strideW, 1),
			"padding":     stringAttr("VALID"),
			"data_format": stringAttr("NHWC"),
		}, at.String())
		nodes = append(nodes, cells)
		from = TensorID{cells.GetName(), 0}
		features = g * g * shape[3]
	} else {
		for _, d := range shape[1:] {
			features *= max(d, -1)
		}
	}
	if slices.ContainsFunc(shape[1:], func(d int64) bool { return d < 0 }) {
		return nil, out, fmt.Errorf("pool %q needs a static shape, the endpoint has %v", p, shape)
	}
	dims := int32Const(name+"/shape", false, -1, int32(features))
	flat := newNode("Reshape", name, attrs{"T": dtype, "Tshape": typeAttr(tensorflow.Int32)}, from.String(), dims.GetName())
	out.Tensor, out.Shape = TensorID{name, 0}.Name(), []int64{shape[0], features}
	return append(nodes, dims, flat), out, nil
}

// reduced returns the nodes that reduce a map [N, H, W, C] to [N, C] by Mean or Max.
func reduced(op, name string, at TensorID, dtype *attrpb.AttrValue) []*nodepb.NodeDef {
	axes := int32Const(name+"/axes", false, 1, 2)
	return []*nodepb.NodeDef{axes, newNode(op, name, attrs{
		"T": dtype, "Tidx": typeAttr(tensorflow.Int32), "keep_dims": {Value: &attrpb.AttrValue_B{B: false}},
	}, at.String(), axes.GetName())}
}

// concatenated returns the nodes that concatenate vectors [N, width].
func concatenated(name string, dtype *attrpb.AttrValue, parts []string) []*nodepb.NodeDef {
	axis := int32Const(name+"/axis", true, 1)
	return []*nodepb.NodeDef{axis, newNode("ConcatV2", name, attrs{
		"T": dtype, "Tidx": typeAttr(tensorflow.Int32), "N": {Value: &attrpb.AttrValue_I{I: int64(len(parts))}},
	}, append(slices.Clone(parts), axis.GetName())...)}
}

// channelsFirst reports whether the nearest node at or before name that has a
// data format uses NCHW.
func (x *index) channelsFirst(name string) bool {
	seen := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		node := x.nodes[queue[0]]
		if format := attrString(node, "data_format", ""); format != "" {
			return format == "NCHW"
		}
		for _, in := range node.GetInput() {
			if from := mustID(in).Node; !seen[from] {
				seen[from] = true
				queue = append(queue, from)
			}
		}
	}
	return false
}
