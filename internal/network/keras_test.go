package network_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// Networks as exported by Keras, with random statistics so that batch norm has
// an effect: the operations left after folding, the endpoints, and unchanged
// outputs.
func TestKeras(t *testing.T) {
	for _, tt := range []struct {
		name      string
		left      map[string]int // operations after folding
		endpoints int
		some      []string // endpoints that must be listed, in order
		cut       string
		exact     bool // compare with double precision, which is slow
		narrow    bool // try bfloat16
	}{
		{
			"resnet50", map[string]int{"Conv2D": 53, "BiasAdd": 54, "AddV2": 16, "Mul": 0, "Rsqrt": 0, "VarHandleOp": 108}, 20,
			[]string{"conv1_relu", "pool1_pool", "conv2_block1_out", "conv5_block3_out", "avg_pool", "predictions"}, "conv4_block6_out", false, false,
		},
		{
			"mobilenet_v2", map[string]int{"DepthwiseConv2dNative": 17, "Conv2D": 35, "BiasAdd": 53, "AddV2": 10, "Mul": 0}, 34,
			[]string{"Conv1_relu", "expanded_conv_project_BN", "block_2_add", "out_relu", "global_average_pooling2d"}, "block_12_add", true, false,
		},
		{
			"inception_v3", map[string]int{"Conv2D": 94, "BiasAdd": 95, "AddV2": 0, "Mul": 0, "ConcatV2": 15}, 20,
			[]string{"mixed0", "mixed7", "mixed10", "avg_pool", "predictions"}, "mixed7", false, false,
		},
		{
			"vgg16", map[string]int{"Conv2D": 13, "BiasAdd": 16, "Squeeze": 0}, 22,
			[]string{"block1_conv1", "block5_pool", "flatten", "fc2", "predictions"}, "block4_pool", false, true,
		},
		{
			"resnet50v2", map[string]int{"Conv2D": 53, "BiasAdd": 54, "AddV2": 33, "Mul": 17, "Rsqrt": 0}, 20,
			[]string{"conv1_conv", "conv2_block1_out", "post_relu", "avg_pool"}, "conv4_block2_out", false, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := savedmodeltest.Keras(t, tt.name)
			input, output := savedmodeltest.Example(t, dir)
			input.Shape[0] = 1
			x, err := tensorflow.FromFloat32(input.Shape, input.Values[:len(input.Values)/2])
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			n, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			folded, err := n.Fold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			counts := make(map[string]int)
			for _, node := range folded.Graph.GetNode() {
				counts[node.GetOp()]++
			}
			for op, want := range tt.left {
				if counts[op] != want {
					t.Errorf("%d %s are left, want %d", counts[op], op, want)
				}
			}
			checkEndpoints(t, n, folded, tt.endpoints, tt.some)

			// Before the classifier, because probabilities hide differences.
			features := tt.some[len(tt.some)-1]
			whole, _ := cut(t, n, features)
			half, _ := cut(t, folded, features)
			want, got := answers(t, whole, x), answers(t, half, x)
			if d := difference(got, want); d > tolerance {
				t.Errorf("folded features are off by %g", d)
			}
			if tt.exact {
				exact := answers(t, double(whole), x)
				if d, own := difference(got, exact), difference(want, exact); d > 1.5*own {
					t.Errorf("folded features are off those in double precision by %g, unfolded ones by %g", d, own)
				}
			}
			if tt.narrow {
				b, err := half.BFloat16()
				if err != nil {
					t.Fatal(err)
				}
				if d := distance(answers(t, b, x), want); d > 0.05 || d == 0 {
					t.Errorf("bfloat16 features are off by %g", d)
				}
			}

			trunk, rest := cut(t, folded, tt.cut)
			joined, err := network.Join(trunk, rest)
			if err != nil {
				t.Fatal(err)
			}
			if d := difference(answers(t, joined, x), output.Values[:len(output.Values)/2]); d > tolerance {
				t.Errorf("cut and joined, answers are off Keras's by %g", d)
			}
			var file bytes.Buffer
			if err := folded.Encode(&file); err != nil {
				t.Fatal(err)
			}
			if back, err := network.Decode(file.Bytes()); err != nil || back.Bytes() != folded.Bytes() {
				t.Errorf("reading back what was written: %v", err)
			}
		})
	}
}

// tolerance allows for float32 with these networks, whose random weights
// amplify rounding: even without folding, TensorFlow's two sets of kernels
// differ by 2e-5 of the largest value, and either differs by 1e-5 from double
// precision.
const tolerance = 5e-5

func checkEndpoints(t *testing.T, n, folded *network.Network, count int, some []string) {
	t.Helper()
	before, err := n.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	after, err := folded.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, e := range after {
		names = append(names, e.Name)
		if i >= len(before) || before[i].Name != e.Name || !slices.Equal(before[i].Shape, e.Shape) {
			t.Errorf("%+v is another endpoint before folding", e)
		}
		if slices.Contains(e.Shape, -1) {
			t.Errorf("%+v has no static shape", e)
		}
	}
	if len(names) != count {
		t.Errorf("%d endpoints %q, want %d", len(names), names, count)
	}
	at := 0
	for _, name := range some {
		i := slices.Index(names[at:], name)
		if i < 0 {
			t.Errorf("no endpoint %q in its place among %q", name, names)
			continue
		}
		at += i
	}
}

// cut divides n at an endpoint.
func cut(t *testing.T, n *network.Network, endpoint string) (trunk, rest *network.Network) {
	t.Helper()
	trunk, rest, err := n.Cut(endpoint, network.PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	return trunk, rest
}

// answers returns the values of n's first output.
func answers(t *testing.T, n *network.Network, x *tensorflow.Tensor) []float32 {
	t.Helper()
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := l.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, v := range out {
			v.Close()
		}
	}()
	return slices.Clone(out[0].Float32())
}

// difference returns the largest difference relative to the largest value.
func difference(got, want []float32) float64 {
	var d, scale float64
	for i := range want {
		d = max(d, math.Abs(float64(got[i])-float64(want[i])))
		scale = max(scale, math.Abs(float64(want[i])))
	}
	return d / scale
}

// distance returns the Euclidean distance relative to want's length.
func distance(got, want []float32) float64 {
	var d, scale float64
	for i := range want {
		d += math.Pow(float64(got[i])-float64(want[i]), 2)
		scale += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(d / scale)
}

// double returns n with arithmetic in float64.
func double(n *network.Network) *network.Network {
	const single, double = typespb.DataType_DT_FLOAT, typespb.DataType_DT_DOUBLE
	typed := func(t typespb.DataType) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: t}}
	}
	cast := func(name, from string, src, dst typespb.DataType) *nodepb.NodeDef {
		return &nodepb.NodeDef{Name: name, Op: "Cast", Input: []string{from}, Attr: map[string]*attrpb.AttrValue{"SrcT": typed(src), "DstT": typed(dst)}}
	}
	d := &network.Network{Graph: proto.Clone(n.Graph).(*graphpb.GraphDef), Inputs: n.Inputs, Outputs: slices.Clone(n.Outputs), Weights: n.Weights}
	values := make(map[string]bool)
	var casts []*nodepb.NodeDef
	for _, node := range d.Graph.GetNode() {
		if node.GetAttr()["dtype"].GetType() == single && node.GetOp() != "VarHandleOp" {
			values[node.GetName()] = true
			casts = append(casts, cast(node.GetName()+"/double", node.GetName(), single, double))
		}
	}
	for _, node := range d.Graph.GetNode() {
		for i, in := range node.GetInput() {
			if values[in] {
				node.Input[i] = in + "/double"
			}
		}
		if t := node.GetAttr()["T"]; t.GetType() == single || node.GetOp() == "MaxPool" {
			node.Attr["T"] = typed(double)
		}
	}
	for i, p := range d.Outputs {
		node := strings.TrimSuffix(p.Tensor, ":0")
		casts = append(casts, cast(node+"/single", node, double, single))
		d.Outputs[i].Tensor = node + "/single:0"
	}
	d.Graph.Node = append(d.Graph.Node, casts...)
	return d
}
