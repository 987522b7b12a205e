package network

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	"golang.org/x/sync/errgroup"

	"tkit/internal/tensorflow"
)

// A fused operation computes the same as the unoptimised graph, for several
// batch sizes and values, because the kernels keep their filters. Operations
// that vary between runs, or that have other consumers, are not fused.
func TestFuse(t *testing.T) {
	images := func(b *builder) string { return b.input(-1, 7, 9, 4) }
	biased := func(b *builder, name, x string, out int64) string {
		return b.op("BiasAdd", name, nil, b.conv(name+"/conv", x, 3, 4, out), b.weight(name+"/bias", 0, out))
	}
	with := func(op string, a attrs) func(b *builder) []string {
		return func(b *builder) []string {
			return []string{b.op("Neg", "y", nil, b.op(op, "a", a, biased(b, "c", images(b), 5)))}
		}
	}
	convolved := func(op string, a attrs, out int64, kernel ...int64) func(b *builder) []string {
		return func(b *builder) []string {
			x := b.op(op, "c/conv", a, images(b), b.weight("c/kernel", 0, kernel...))
			return []string{b.op("Relu", "y", nil, b.op("BiasAdd", "c", nil, x, b.weight("c/bias", 0, out)))}
		}
	}
	strided := attrs{"strides": intsAttr(1, 2, 2, 1), "padding": stringAttr("SAME")}
	dilated := attrs{"strides": intsAttr(1, 1, 1, 1), "dilations": intsAttr(1, 2, 2, 1), "padding": stringAttr("SAME")}
	explicit := attrs{"strides": intsAttr(1, 2, 2, 1), "padding": stringAttr("EXPLICIT"), "explicit_paddings": intsAttr(0, 0, 1, 2, 3, 0, 0, 0)}
	for _, tt := range []struct {
		name  string
		build func(b *builder) (outputs []string)
		fused string // the operations of each, in order
	}{
		{"bias", func(b *builder) []string { return []string{b.op("Neg", "y", nil, biased(b, "c", images(b), 5))} }, "BiasAdd"},
		{"bias as output", func(b *builder) []string { return []string{biased(b, "c", images(b), 5)} }, "BiasAdd"},
		{"relu", with("Relu", nil), "BiasAdd Relu"},
		{"relu6", with("Relu6", nil), "BiasAdd Relu6"},
		{"elu", with("Elu", nil), "BiasAdd Elu"},
		{"leaky relu", with("LeakyRelu", attrs{"alpha": {Value: &attrpb.AttrValue_F{F: 0.3}}}), "BiasAdd LeakyRelu"},
		{"leaky relu by default", with("LeakyRelu", nil), "BiasAdd LeakyRelu"},
		{"another activation", with("Softplus", nil), "BiasAdd"},
		{"strides", convolved("Conv2D", strided, 6, 3, 3, 4, 6), "BiasAdd Relu"},
		{"dilations", convolved("Conv2D", dilated, 6, 3, 3, 4, 6), "BiasAdd Relu"},
		{"explicit padding", convolved("Conv2D", explicit, 6, 3, 3, 4, 6), "BiasAdd Relu"},
		{"groups", convolved("Conv2D", strided, 6, 3, 3, 2, 6), "BiasAdd Relu"},
		{"depthwise", convolved("DepthwiseConv2dNative", strided, 4, 3, 3, 4, 1), "BiasAdd Relu"},
		{"depthwise by two", convolved("DepthwiseConv2dNative", strided, 8, 3, 3, 4, 2), "BiasAdd Relu"},
		{"depthwise, dilated", convolved("DepthwiseConv2dNative", dilated, 4, 3, 3, 4, 1), "BiasAdd Relu"},
		{"shortcut", func(b *builder) []string {
			x := b.op("Relu", "x", nil, biased(b, "c1", images(b), 4))
			sum := b.op("AddV2", "sum", nil, x, biased(b, "c3", b.op("Relu", "r", nil, biased(b, "c2", x, 4)), 4))
			return []string{b.op("Relu", "y", nil, sum)}
		}, "BiasAdd Relu, BiasAdd Relu, BiasAdd Add Relu"},
		{"shortcut around one convolution", func(b *builder) []string {
			x := b.op("Relu", "x", nil, biased(b, "c1", images(b), 4))
			return []string{b.op("Relu", "y", nil, b.op("AddV2", "sum", nil, x, biased(b, "c2", x, 4)))}
		}, "BiasAdd Relu, BiasAdd"},
		{"shortcut that is an output too", func(b *builder) []string {
			x := b.op("Relu", "x", nil, biased(b, "c1", images(b), 4))
			sum := b.op("AddV2", "sum", nil, x, biased(b, "c3", b.op("Relu", "r", nil, biased(b, "c2", x, 4)), 4))
			return []string{b.op("Relu", "y", nil, sum), "x"}
		}, "BiasAdd Relu, BiasAdd Relu, BiasAdd"},
		{"shortcut with another view", func(b *builder) []string {
			x := b.op("Relu", "x", nil, biased(b, "c1", images(b), 4))
			sum := b.op("AddV2", "sum", nil, b.op("Identity", "i", nil, x), biased(b, "c3", b.op("Relu", "r", nil, biased(b, "c2", x, 4)), 4))
			return []string{b.op("Relu", "y", nil, sum)}
		}, "BiasAdd Relu, BiasAdd Relu, BiasAdd"},
		{"shortcut that is used again", func(b *builder) []string {
			x := images(b)
			sum := b.op("AddV2", "sum", nil, biased(b, "c", x, 4), x)
			return []string{b.op("Sub", "y", nil, b.op("Relu", "z", nil, sum), x)}
		}, "BiasAdd"},
		{"two branches", func(b *builder) []string {
			x := images(b)
			return []string{b.op("Relu", "y", nil, b.op("AddV2", "sum", nil, biased(b, "c1", x, 5), biased(b, "c2", x, 5)))}
		}, "BiasAdd, BiasAdd Add Relu"},
		{"sum of unequal shapes", func(b *builder) []string {
			x := images(b)
			sum := b.op("AddV2", "sum", nil, biased(b, "c1", x, 5), biased(b, "c2", x, 1))
			return []string{b.op("Relu", "y", nil, sum)}
		}, "BiasAdd, BiasAdd"},
		{"bias that is used twice", func(b *builder) []string {
			x := biased(b, "c", images(b), 5)
			return []string{b.op("Sub", "y", nil, b.op("Relu", "r", nil, x), x)}
		}, "BiasAdd"},
		{"bias that is an output too", func(b *builder) []string {
			return []string{b.op("Relu", "y", nil, biased(b, "c", images(b), 5)), "c"}
		}, "BiasAdd"},
		{"convolution that is an output too", func(b *builder) []string {
			return []string{biased(b, "c", images(b), 5), "c/conv"}
		}, ""},
		{"twice its own bias", func(b *builder) []string {
			x := biased(b, "c", images(b), 5)
			return []string{b.op("AddV2", "y", nil, x, x)}
		}, "BiasAdd"},
		{"filter from the input", func(b *builder) []string {
			x := images(b)
			kernel := b.op("Mul", "kernel", nil, b.weight("c/kernel", 0, 3, 3, 4, 5), b.op("Max", "max", attrs{"Tidx": typeAttr(tensorflow.Int32)}, x, b.add(int32Const("axes", false, 0, 1, 2, 3))))
			c := b.op("Conv2D", "c/conv", convAttrs("SAME"), x, kernel)
			return []string{b.op("BiasAdd", "c", nil, c, b.weight("c/bias", 0, 5))}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder()
			n := b.network(tt.build(b)...)
			same(t, n, tt.fused, 1e-6)
			narrow, err := n.BFloat16()
			if err != nil {
				t.Fatal(err)
			}
			same(t, narrow, tt.fused, 0.02)
		})
	}
}

// same compares the loaded network with the unoptimised graph.
func same(t *testing.T, n *Network, wantFused string, tolerance float64) {
	t.Helper()
	var fused []string
	types, err := oneDNNTypes(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := n.fuse(types)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		if strings.HasPrefix(node.GetOp(), "_Mkl") {
			var ops []string
			for _, op := range node.GetAttr()["fused_ops"].GetList().GetS() {
				ops = append(ops, string(op))
			}
			fused = append(fused, strings.Join(ops, " "))
		}
	}
	conv := n.Graph.GetNode()[slices.IndexFunc(n.Graph.GetNode(), func(node *nodepb.NodeDef) bool { return oneDNN[node.GetOp()] != "" })]
	if !slices.Contains(types[oneDNN[conv.GetOp()]], attrType(conv, "T")) {
		wantFused = "" // another processor
	}
	if got := strings.Join(fused, ", "); got != wantFused {
		t.Errorf("fused %q, want %q", got, wantFused)
	}
	quick, plain := load(t, n), loadAs(t, n, tensorflow.Config{DisableOptimizer: true})
	random := rand.New(rand.NewPCG(1, 9))
	for _, batch := range []int64{3, 1, 8, 3} {
		x, err := tensorflow.NewTensor(tensorflow.Float32, batch, 7, 9, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for i := range x.Float32() {
			x.Float32()[i] = float32(random.NormFloat64())
		}
		want := runLoaded(t, plain, x)
		for i, got := range runLoaded(t, quick, x) {
			if d := distance(t, got, want[i]); d > tolerance {
				t.Errorf("output %d of a batch of %d is off by %g", i, batch, d)
			}
		}
	}
}

// Runs at the same time compute what each computes alone, also where a shortcut
// is needed after its sum.
func TestFuseConcurrently(t *testing.T) {
	b := newBuilder()
	x := b.input(-1, 28, 28, 8)
	for i := range 8 {
		name := "c" + strconv.Itoa(i)
		y := b.op("BiasAdd", name, nil, b.conv(name+"/conv", x, 3, 8, 8), b.weight(name+"/bias", 0, 8))
		x = b.op("Relu", "x"+strconv.Itoa(i), nil, b.op("AddV2", "sum"+strconv.Itoa(i), nil, x, y))
	}
	l := loadAs(t, b.network(x, "x1", "x3", "x5"), tensorflow.Config{RunInCaller: true})
	random := rand.New(rand.NewPCG(3, 1))
	var group errgroup.Group
	for range 4 {
		in, err := tensorflow.NewTensor(tensorflow.Float32, 4, 28, 28, 8)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		for i := range in.Float32() {
			in.Float32()[i] = float32(random.NormFloat64())
		}
		alone := runLoaded(t, l, in)
		group.Go(func() error {
			for range 200 {
				outputs, err := l.Run(t.Context(), in)
				if err != nil {
					return err
				}
				for i, out := range outputs {
					if d := distance(t, out.Float32(), alone[i]); d > 1e-5 {
						err = errors.Join(err, fmt.Errorf("output %d is off by %g", i, d))
					}
					out.Close()
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFuseWithoutOneDNN(t *testing.T) {
	n := folded(t, residual())
	t.Setenv("TF_ENABLE_ONEDNN_OPTS", "0")
	types, err := oneDNNTypes(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := n.fuse(types)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(nodes, n.Graph.GetNode()) {
		t.Error("oneDNN's convolutions are used although it is switched off")
	}
}
