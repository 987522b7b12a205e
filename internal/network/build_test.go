package network

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/tensorflow"
)

// A builder makes small networks by hand. Weights are random.
type builder struct {
	nodes   []*nodepb.NodeDef
	weights []*Weight
	random  *rand.Rand
}

func newBuilder() *builder { return &builder{random: rand.New(rand.NewPCG(7, 11))} }

// input adds the placeholder "images".
func (b *builder) input(shape ...int64) string {
	b.nodes = append(b.nodes, PlaceholderNode("images", tensorflow.Float32, shape))
	return "images"
}

// weight adds a weight around mean and returns its value's node.
func (b *builder) weight(name string, mean float32, shape ...int64) string {
	values := make([]float32, size(shape))
	for i := range values {
		values[i] = mean + 0.3*float32(b.random.NormFloat64())
	}
	return b.values(name, shape, values...)
}

// positive adds a weight with values between 0.5 and 1.5.
func (b *builder) positive(name string, shape ...int64) string {
	values := make([]float32, size(shape))
	for i := range values {
		values[i] = 0.5 + b.random.Float32()
	}
	return b.values(name, shape, values...)
}

func (b *builder) values(name string, shape []int64, values ...float32) string {
	b.weights = append(b.weights, floats(name, shape, values...))
	return name + readSuffix
}

// op adds a node with float32 arithmetic.
func (b *builder) op(op, name string, a attrs, inputs ...string) string {
	all := attrs{"T": typeAttr(tensorflow.Float32)}
	for k, v := range a {
		all[k] = v
	}
	b.nodes = append(b.nodes, newNode(op, name, all, inputs...))
	return name
}

func (b *builder) add(node *nodepb.NodeDef) string {
	b.nodes = append(b.nodes, node)
	return node.GetName()
}

// conv adds a Conv2D with its own kernel.
func (b *builder) conv(name, x string, size, in, out int64) string {
	return b.op("Conv2D", name, convAttrs("SAME"), x, b.weight(name+"/kernel", 0, size, size, in, out))
}

func convAttrs(padding string) attrs {
	return attrs{"strides": intsAttr(1, 1, 1, 1), "padding": stringAttr(padding)}
}

// norm adds a fused batch norm in inference.
func (b *builder) norm(op, name, x string, channels int64) string {
	a := attrs{"is_training": boolAttr(false), "epsilon": {Value: &attrpb.AttrValue_F{F: 1e-3}}}
	if op != "FusedBatchNorm" {
		a["U"] = typeAttr(tensorflow.Float32)
	}
	return b.op(op, name, a, x, b.weight(name+"/gamma", 1, channels), b.weight(name+"/beta", 0, channels),
		b.weight(name+"/mean", 0, channels), b.positive(name+"/variance", channels))
}

// spelt adds a batch norm as individual operations, like Keras 3.
func (b *builder) spelt(name, x string, channels int64) string {
	mean := b.weight(name+"/mean", 0, channels)
	variance := b.positive(name+"/variance", channels)
	epsilon := b.scalar(name+"/epsilon", 1e-3)
	scale := b.op("Rsqrt", name+"/Rsqrt", nil, b.op("AddV2", name+"/add", nil, variance, epsilon))
	scale = b.op("Mul", name+"/mul", nil, scale, b.weight(name+"/gamma", 1, channels))
	shift := b.op("Sub", name+"/sub", nil, b.weight(name+"/beta", 0, channels), b.op("Mul", name+"/mul_2", nil, mean, scale))
	return b.op("AddV2", name+"/add_1", nil, b.op("Mul", name+"/mul_1", nil, x, scale), shift)
}

func (b *builder) scalar(name string, v float32) string {
	raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
	return b.add(ConstNode(name, tensorflow.Float32, []int64{}, raw))
}

// mean adds the average over height and width.
func (b *builder) mean(name, x string) string {
	axes := b.add(int32Const(name+"/axes", false, 1, 2))
	return b.op("Mean", name, attrs{"Tidx": typeAttr(tensorflow.Int32), "keep_dims": boolAttr(false)}, x, axes)
}

// dense adds a product and a bias.
func (b *builder) dense(name, x string, in, out int64) string {
	y := b.op("MatMul", name+"/MatMul", nil, x, b.weight(name+"/kernel", 0, in, out))
	return b.op("BiasAdd", name+"/BiasAdd", nil, y, b.weight(name+"/bias", 0, out))
}

// network returns the network built. Outputs are named after their nodes.
func (b *builder) network(outputs ...string) *Network {
	n := &Network{
		Graph:   &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1994}},
		Weights: slices.Clone(b.weights),
	}
	slices.SortFunc(n.Weights, func(a, b *Weight) int { return strings.Compare(a.Name, b.Name) })
	for _, w := range n.Weights {
		handle, read := WeightNodes(w)
		n.Graph.Node = append(n.Graph.Node, handle, read)
	}
	n.Graph.Node = append(n.Graph.Node, b.nodes...)
	for _, node := range b.nodes {
		if node.GetOp() == "Placeholder" {
			n.Inputs = append(n.Inputs, TensorInfo{
				Name: node.GetName(), Tensor: node.GetName() + ":0",
				DataType: attrType(node, "dtype"), Shape: shapeOf(node.GetAttr()["shape"].GetShape()),
			})
		}
	}
	for _, name := range outputs {
		n.Outputs = append(n.Outputs, TensorInfo{Name: name, Tensor: mustID(name).Name(), DataType: tensorflow.Float32})
	}
	return n
}

// residual is a small network of typical parts: convolution and batch norm, a
// residual block, a pool and a classifier.
func residual() *Network {
	b := newBuilder()
	x := b.input(-1, 8, 8, 3)
	x = b.op("Relu", "stem/relu", nil, b.norm("FusedBatchNormV3", "stem/norm", b.conv("stem/conv", x, 3, 3, 8), 8))
	y := b.op("Relu", "block/relu_1", nil, b.spelt("block/norm_1", b.conv("block/conv_1", x, 3, 8, 8), 8))
	y = b.spelt("block/norm_2", b.conv("block/conv_2", y, 3, 8, 8), 8)
	x = b.op("Relu", "block_out/relu", nil, b.op("AddV2", "block_out/add", nil, x, y))
	x = b.mean("pool/mean", x)
	x = b.dense("logits", x, 8, 5)
	b.op("Softmax", "probabilities", nil, x)
	return b.network("probabilities", "logits/BiasAdd")
}

// floats returns a trainable float32 weight.
func floats(name string, shape []int64, values ...float32) *Weight {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &Weight{Name: name, DataType: tensorflow.Float32, Shape: shape, Data: raw, Trainable: true}
}

func size(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// example returns a batch of random values for n's only input, with unknown
// dimensions set to 2.
func example(t testing.TB, n *Network) *tensorflow.Tensor {
	t.Helper()
	in, err := n.Input("")
	if err != nil {
		t.Fatal(err)
	}
	shape := slices.Clone(in.Shape)
	for i, d := range shape {
		if d < 0 {
			shape[i] = 2
		}
	}
	random := rand.New(rand.NewPCG(3, 5))
	values := make([]float32, size(shape))
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	x, err := tensorflow.FromFloat32(shape, values)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// run loads n, runs it once and returns its outputs.
func run(t testing.TB, n *Network, x *tensorflow.Tensor) [][]float32 {
	t.Helper()
	return runAs(t, n, x, tensorflow.Config{IntraOpThreads: 1})
}

// runUnoptimised is run without optimisations.
func runUnoptimised(t testing.TB, n *Network, x *tensorflow.Tensor) [][]float32 {
	t.Helper()
	return runAs(t, n, x, tensorflow.Config{IntraOpThreads: 1, DisableOptimizer: true})
}

func runAs(t testing.TB, n *Network, x *tensorflow.Tensor, c tensorflow.Config) [][]float32 {
	t.Helper()
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	l, err := n.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return runLoaded(t, l, x)
}

func runLoaded(t testing.TB, l *Loaded, x *tensorflow.Tensor) [][]float32 {
	t.Helper()
	out, err := l.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	var values [][]float32
	for _, v := range out {
		values = append(values, slices.Clone(v.Float32()))
		v.Close()
	}
	return values
}

// distance returns the largest difference relative to the largest value.
func distance(t testing.TB, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d values, want %d", len(got), len(want))
	}
	var difference, scale float64
	for i := range want {
		difference = max(difference, math.Abs(float64(got[i])-float64(want[i])))
		scale = max(scale, math.Abs(float64(want[i])))
		if math.IsNaN(float64(got[i])) != math.IsNaN(float64(want[i])) {
			t.Fatalf("value %d is %g, want %g", i, got[i], want[i])
		}
	}
	if scale == 0 {
		return difference
	}
	return difference / scale
}

// ops counts a network's operations.
func ops(n *Network) map[string]int {
	count := make(map[string]int)
	for _, node := range n.Graph.GetNode() {
		count[node.GetOp()]++
	}
	return count
}

// int32Matrix returns a constant of zeros.
func int32Matrix(name string, rows, columns int64) *nodepb.NodeDef {
	return ConstNode(name, tensorflow.Int32, []int64{rows, columns}, make([]byte, 4*rows*columns))
}
