package network

import (
	"encoding/binary"
	"math"
	"strconv"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// maths adds arithmetic on per-channel vectors as nodes, in double precision.
type maths struct {
	x        *index
	scope    string
	dtype    tensorflow.DataType // of the network
	channels int64
	nodes    []*nodepb.NodeDef
}

func (a *affineFolder) maths(scope string, dt tensorflow.DataType, channels int64) *maths {
	return &maths{x: a.x, scope: a.x.freeScope(scope + "/fold"), dtype: dt, channels: channels}
}

// add appends a node and reserves its name.
func (m *maths) add(node *nodepb.NodeDef) TensorID {
	m.nodes = append(m.nodes, node)
	m.x.nodes[node.GetName()] = node
	return TensorID{node.GetName(), 0}
}

func (m *maths) next() string { return m.scope + "/" + strconv.Itoa(len(m.nodes)) }

// op adds a unary or binary operation.
func (m *maths) op(op string, in ...TensorID) TensorID {
	node := newNode(op, m.next(), attrs{"T": typeAttr(tensorflow.Float64)})
	for _, r := range in {
		node.Input = append(node.Input, r.String())
	}
	return m.add(node)
}

// widen converts v to double precision.
func (m *maths) widen(v TensorID) TensorID {
	return m.add(newNode("Cast", m.next(), attrs{"SrcT": typeAttr(m.dtype), "DstT": typeAttr(tensorflow.Float64)}, v.String()))
}

// narrow converts v to the network's type, under that name or a similar one.
func (m *maths) narrow(v TensorID, name string) TensorID {
	return m.add(newNode("Cast", m.x.freeName(name), attrs{"SrcT": typeAttr(tensorflow.Float64), "DstT": typeAttr(m.dtype)}, v.String()))
}

func (m *maths) reshape(v TensorID, shape ...int64) TensorID {
	return m.shaped("Reshape", "Tshape", v, shape)
}

func (m *maths) shaped(op, indexType string, v TensorID, shape []int64) TensorID {
	dims := make([]int32, len(shape))
	for i, d := range shape {
		dims[i] = int32(d)
	}
	to := m.add(int32Const(m.next(), false, dims...))
	return m.add(newNode(op, m.next(), attrs{"T": typeAttr(tensorflow.Float64), indexType: typeAttr(tensorflow.Int32)}, v.String(), to.String()))
}

// vector expands v, one value or one per channel, to one per channel.
func (m *maths) vector(v TensorID) TensorID {
	flat := m.reshape(m.widen(v), -1)
	return m.shaped("BroadcastTo", "Tidx", flat, []int64{m.channels})
}

// constant adds a vector with a single value.
func (m *maths) constant(value float64) TensorID {
	raw := binary.LittleEndian.AppendUint64(nil, math.Float64bits(value))
	return m.add(ConstNode(m.next(), tensorflow.Float64, []int64{1}, raw))
}

// compose computes the chain as x·scale + shift. nil means a scale of one or a
// shift of zero.
func (m *maths) compose(chain []link) (scale, shift *TensorID) {
	both := func(op string, v TensorID) { // of scale and shift, with v
		s := v
		switch {
		case scale != nil:
			s = m.op(op, *scale, v)
		case op == "RealDiv":
			s = m.op("Reciprocal", v)
		}
		scale = &s
		if shift != nil {
			t := m.op(op, *shift, v)
			shift = &t
		}
	}
	add := func(op string, v TensorID) {
		switch {
		case shift != nil:
			v = m.op(op, *shift, v)
		case op == "Sub":
			v = m.op("Neg", v)
		}
		shift = &v
	}
	for _, l := range chain {
		switch op := l.node.GetOp(); {
		case isFusedNorm(l.node): // ((x - mean)·rsqrt(variance + ε))·gamma + beta
			gamma, beta, mean, variance := m.operand(l, 1), m.operand(l, 2), m.operand(l, 3), m.operand(l, 4)
			epsilon := 1e-4 // TensorFlow's default
			if e := l.node.GetAttr()["epsilon"]; e != nil {
				epsilon = float64(e.GetF())
			}
			add("Sub", mean)
			both("Mul", m.op("Mul", m.op("Rsqrt", m.op("AddV2", variance, m.constant(epsilon))), gamma))
			add("AddV2", beta)
		case op == "Mul":
			both("Mul", m.vector(l.v))
		case op == "RealDiv" || op == "Div":
			both("RealDiv", m.vector(l.v))
		case op == "Sub" && l.reversed: // v - x
			both("Mul", m.shaped("BroadcastTo", "Tidx", m.constant(-1), []int64{m.channels}))
			add("AddV2", m.vector(l.v))
		case op == "Sub":
			add("Sub", m.vector(l.v))
		default: // BiasAdd, Add, AddV2
			add("AddV2", m.vector(l.v))
		}
	}
	return scale, shift
}

// operand returns the i-th input of a link as a vector. Statistics are float32
// whatever the network's type.
func (m *maths) operand(l link, i int) TensorID {
	from := m.dtype
	if u := attrType(l.node, "U"); u != 0 {
		from = u
	}
	v := mustID(l.node.GetInput()[i])
	wide := m.add(newNode("Cast", m.next(), attrs{"SrcT": typeAttr(from), "DstT": typeAttr(tensorflow.Float64)}, v.String()))
	return m.reshape(wide, m.channels)
}
