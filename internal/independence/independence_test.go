package independence_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/fuzztest"
	"tkit/internal/independence"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// growing is a graph to which nodes are added by four bytes each: the
// operation, two of the existing values, and a number. Values stay positive, so
// that nothing cancels and rounding stays small.
type growing struct {
	nodes  []*nodepb.NodeDef
	values []string
}

func (g *growing) ints(values ...int32) string {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
	}
	name := fmt.Sprint("ints", len(g.nodes))
	g.nodes = append(g.nodes, network.ConstNode(name, tensorflow.Int32, []int64{int64(len(values))}, raw))
	return name
}

func (g *growing) scalar(v int32) string {
	name := g.ints(v)
	last := g.nodes[len(g.nodes)-1]
	g.nodes[len(g.nodes)-1] = network.ConstNode(name, tensorflow.Int32, nil, last.GetAttr()["value"].GetTensor().GetTensorContent())
	return name
}

// value adds a node as a value.
func (g *growing) value(op string, inputs ...string) *nodepb.NodeDef {
	n := node(op, fmt.Sprint("v", len(g.nodes)), inputs...)
	g.nodes = append(g.nodes, n)
	g.values = append(g.values, n.GetName())
	return n
}

// node returns a float32 node with one operation.
func node(op, name string, inputs ...string) *nodepb.NodeDef {
	float := &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
	return &nodepb.NodeDef{Op: op, Name: name, Input: inputs, Attr: map[string]*attrpb.AttrValue{"T": float}}
}

func tensorInfo(name, tensor string, shape ...int64) network.TensorInfo {
	return network.TensorInfo{Name: name, Tensor: tensor, DataType: tensorflow.Float32, Shape: shape}
}

func integer(i int64) *attrpb.AttrValue { return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: i}} }

func boolean(b bool) *attrpb.AttrValue { return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: b}} }

func (g *growing) grow(op, first, second, number byte) {
	a, b := g.values[int(first)%len(g.values)], g.values[int(second)%len(g.values)]
	k := int32(number)
	switch op % 14 {
	case 0:
		g.value("AddV2", a, b)
	case 1:
		g.value("Maximum", a, b)
	case 2:
		g.value("OnesLike", a)
	case 3:
		g.value([]string{"Mean", "Max", "Sum"}[k/8%3], a, g.ints(k%4)).Attr["keep_dims"] = boolean(k&4 != 0)
	case 4:
		g.value("Cumsum", a, g.scalar(k%4))
	case 5:
		g.value("ReverseV2", a, g.ints(k%4))
	case 6:
		orders := [][]int32{{1, 0, 2}, {0, 2, 1}, {2, 1, 0}, {1, 0}, {0, 2, 1, 3}, {2, 0, 1}}
		g.value("Transpose", a, g.ints(orders[k%6]...))
	case 7:
		shapes := [][]int32{{-1, 12}, {-1, 6}, {-1, 3, 4}, {3, -1, 4}, {4, 3, -1}, {-1}, {12, -1}, {-1, 2, 2, 3}, {2, -1, 6}}
		g.value("Reshape", a, g.ints(shapes[k%9]...))
	case 8:
		n := g.value("ConcatV2", a, b, g.scalar(k%3))
		n.Attr["N"] = integer(2)
	case 9:
		n := g.value("MatMul", a, b)
		n.Attr["transpose_a"], n.Attr["transpose_b"] = boolean(k&1 != 0), boolean(k&2 != 0)
	case 10:
		n := g.value("BatchMatMulV2", a, b)
		n.Attr["adj_x"], n.Attr["adj_y"] = boolean(k&1 != 0), boolean(k&2 != 0)
	case 11:
		n := g.value("Pack", a, b)
		n.Attr["N"], n.Attr["axis"] = integer(2), integer(int64(k%3))
	case 12:
		equations := []string{"ab,cb->ac", "ab,ab->a", "abc,abd->acd", "abc,adc->abd", "ab,cb->ca", "abc,cb->ab", "abc,dbc->dabc"}
		n := g.value("Einsum", a, b)
		n.Attr["N"], n.Attr["equation"] = integer(2), &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(equations[k%7])}}
	case 13:
		tiles := [][]int32{{1, 2}, {2, 1}, {1, 1, 2}, {1, 3, 1}, {2, 1, 1}}
		g.value("Tile", a, g.ints(tiles[k%5]...))
	}
}

// FuzzIndependence checks proofs by trial.
func FuzzIndependence(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 4, 1, 0, 0, 0, 0, 2, 0}) // running sums of ones
	f.Add([]byte{3, 0, 0, 1, 0, 0, 1, 0})
	f.Add([]byte{7, 0, 0, 3, 6, 1, 0, 0, 12, 1, 1, 2})
	f.Add([]byte{8, 0, 0, 0, 7, 1, 0, 4, 6, 2, 0, 1})
	f.Add([]byte{2, 0, 0, 0, 13, 1, 0, 4, 7, 2, 0, 3, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		defer fuzztest.Watch(t, len(program))()
		g := &growing{values: []string{"positive"}, nodes: []*nodepb.NodeDef{
			network.PlaceholderNode("images", tensorflow.Float32, []int64{-1, 3, 4}), node("Abs", "positive", "images"),
		}}
		for range 8 {
			if len(program) >= 4 {
				g.grow(program[0], program[1], program[2], program[3])
				program = program[4:]
			}
		}
		n := &network.Network{
			Graph:   &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}, Node: g.nodes},
			Inputs:  []network.TensorInfo{tensorInfo("images", "images:0", -1, 3, 4)},
			Outputs: []network.TensorInfo{tensorInfo("answer", g.values[len(g.values)-1]+":0")},
		}
		if found, err := n.Independence(); err != nil || !found.Proved {
			return
		}
		l, err := n.Load(tensorflow.Config{IntraOpThreads: 1, InterOpThreads: 1})
		if err != nil {
			t.Fatalf("the proved network does not load: %v", err)
		}
		defer l.Close()
		if err := independence.Try(t.Context(), l, 1e-3); errors.Is(err, independence.ErrMixes) {
			t.Errorf("%v\n%v", err, g.nodes)
		}
	})
}
