package network

import (
	"context"
	"errors"
	"maps"
	"testing"

	"tkit/internal/tensorflow"
)

// Folded networks compute the same; removable operations are gone, and the
// others stay.
func TestFold(t *testing.T) {
	depthwise := func(b *builder, name, x string, in, multiplier int64) string {
		return b.op("DepthwiseConv2dNative", name, convAttrs("SAME"), x, b.weight(name+"/kernel", 0, 3, 3, in, multiplier))
	}
	channelsFirst := func(a attrs) attrs {
		a = maps.Clone(a)
		a["data_format"] = stringAttr("NCHW")
		return a
	}
	images := func(b *builder) string { return b.input(-1, 6, 6, 3) }
	for _, tt := range []struct {
		name  string
		build func(b *builder) (outputs []string)
		want  map[string]int // operations that are left
	}{
		{"fused batch norm", func(b *builder) []string {
			return []string{b.op("Relu", "y", nil, b.norm("FusedBatchNorm", "n", b.conv("c", images(b), 3, 3, 4), 4))}
		}, map[string]int{"FusedBatchNorm": 0, "Conv2D": 1, "BiasAdd": 1, "ReadVariableOp": 2}},
		{"fused batch norm, second version", func(b *builder) []string {
			return []string{b.op("Relu", "y", nil, b.norm("FusedBatchNormV2", "n", b.conv("c", images(b), 3, 3, 4), 4))}
		}, map[string]int{"FusedBatchNormV2": 0, "BiasAdd": 1}},
		{"fused batch norm, third version, as output", func(b *builder) []string {
			return []string{b.norm("FusedBatchNormV3", "n", b.conv("c", images(b), 3, 3, 4), 4)}
		}, map[string]int{"FusedBatchNormV3": 0, "BiasAdd": 1}},
		{"batch norm spelt out", func(b *builder) []string {
			return []string{b.op("Relu", "y", nil, b.spelt("n", b.conv("c", images(b), 3, 3, 4), 4))}
		}, map[string]int{"Mul": 0, "AddV2": 0, "Rsqrt": 0, "Sub": 0, "Conv2D": 1, "BiasAdd": 1, "ReadVariableOp": 2}},
		{"bias, then batch norm", func(b *builder) []string {
			x := b.op("BiasAdd", "bias", nil, b.conv("c", images(b), 3, 3, 4), b.weight("b", 0, 4))
			return []string{b.spelt("n", x, 4)}
		}, map[string]int{"BiasAdd": 1, "Mul": 0, "AddV2": 0}},
		{"identities in between", func(b *builder) []string {
			x := b.op("Identity", "i", nil, b.conv("c", images(b), 3, 3, 4))
			x = b.op("StopGradient", "s", nil, b.spelt("n", x, 4))
			return []string{b.op("Identity", "y", nil, b.op("Relu", "r", nil, x))}
		}, map[string]int{"Identity": 0, "StopGradient": 0, "BiasAdd": 1, "Mul": 0}},
		{"depthwise", func(b *builder) []string {
			return []string{b.spelt("n", depthwise(b, "c", images(b), 3, 1), 3)}
		}, map[string]int{"DepthwiseConv2dNative": 1, "BiasAdd": 1, "Mul": 0}},
		{"depthwise with a multiplier", func(b *builder) []string {
			return []string{b.norm("FusedBatchNormV3", "n", depthwise(b, "c", images(b), 3, 2), 6)}
		}, map[string]int{"DepthwiseConv2dNative": 1, "BiasAdd": 1, "FusedBatchNormV3": 0}},
		{"matrix product", func(b *builder) []string {
			return []string{b.spelt("n", b.dense("d", b.input(-1, 5), 5, 4), 4)}
		}, map[string]int{"MatMul": 1, "BiasAdd": 1, "Mul": 0}},
		{"matrix product, transposed", func(b *builder) []string {
			x := b.op("MatMul", "m", attrs{"transpose_b": boolAttr(true)}, b.input(-1, 5), b.weight("k", 0, 4, 5))
			return []string{b.spelt("n", x, 4)}
		}, map[string]int{"MatMul": 1, "BiasAdd": 1, "Mul": 0}},
		{"all affine operations", func(b *builder) []string {
			x := b.conv("c", images(b), 1, 3, 4)
			x = b.op("Sub", "sub", nil, x, b.weight("v1", 0, 4))
			x = b.op("RealDiv", "div", nil, x, b.positive("v2", 1, 1, 1, 4))
			x = b.op("Sub", "from", nil, b.weight("v3", 0, 1, 4), x)
			x = b.op("Add", "add", nil, b.scalar("v4", 0.3), x)
			x = b.op("Mul", "mul", nil, b.weight("v5", 1, 1), x)
			return []string{b.op("Relu", "y", nil, x)}
		}, map[string]int{"Sub": 0, "RealDiv": 0, "Add": 0, "Mul": 0, "BiasAdd": 1}},
		{"a division first", func(b *builder) []string {
			return []string{b.op("RealDiv", "div", nil, b.conv("c", images(b), 1, 3, 4), b.positive("v", 4))}
		}, map[string]int{"RealDiv": 0, "BiasAdd": 0, "Conv2D": 1}},
		{"a subtraction from a value first", func(b *builder) []string {
			return []string{b.op("Sub", "from", nil, b.weight("v", 0, 4), b.conv("c", images(b), 1, 3, 4))}
		}, map[string]int{"Sub": 0, "BiasAdd": 1}},
		{"an addition becomes a bias", func(b *builder) []string {
			return []string{b.op("AddV2", "a", nil, b.conv("c", images(b), 3, 3, 4), b.weight("v", 0, 4))}
		}, map[string]int{"AddV2": 0, "BiasAdd": 1}},

		{"a convolution that others take stays", func(b *builder) []string {
			x := b.conv("c", images(b), 3, 3, 4)
			return []string{b.op("AddV2", "y", nil, b.op("Mul", "m", nil, x, b.weight("v", 1, 4)), b.op("Relu", "r", nil, x))}
		}, map[string]int{"Mul": 1, "AddV2": 1, "BiasAdd": 0}},
		{"a convolution that is an output stays", func(b *builder) []string {
			x := b.conv("c", images(b), 3, 3, 4)
			return []string{b.spelt("n", x, 4), x}
		}, map[string]int{"Mul": 1, "AddV2": 1, "BiasAdd": 0}},
		{"a chain ends where others take it", func(b *builder) []string {
			x := b.op("Mul", "m", nil, b.conv("c", images(b), 3, 3, 4), b.weight("v", 1, 4))
			return []string{b.op("AddV2", "y", nil, b.op("AddV2", "a", nil, x, b.weight("w", 0, 4)), x)}
		}, map[string]int{"Mul": 0, "AddV2": 2}},
		{"doubling is no chain", func(b *builder) []string {
			x := b.conv("c", images(b), 3, 3, 4)
			return []string{b.op("AddV2", "y", nil, x, x)}
		}, map[string]int{"AddV2": 1, "BiasAdd": 0}},
		{"a factor a pixel stays", func(b *builder) []string {
			return []string{b.op("Mul", "m", nil, b.conv("c", images(b), 3, 3, 4), b.weight("v", 1, 6, 6, 1))}
		}, map[string]int{"Mul": 1}},
		{"a factor that widens stays", func(b *builder) []string {
			return []string{b.op("Mul", "m", nil, b.conv("c", images(b), 3, 3, 1), b.weight("v", 1, 4))}
		}, map[string]int{"Mul": 1}},
		{"a factor from the input stays", func(b *builder) []string {
			x := b.conv("c", images(b), 1, 3, 3)
			return []string{b.op("Mul", "m", nil, x, "images")}
		}, map[string]int{"Mul": 1}},
		{"one kernel for two convolutions", func(b *builder) []string {
			k := b.weight("k", 0, 3, 3, 3, 3)
			x := b.spelt("n1", b.op("Conv2D", "c1", convAttrs("SAME"), images(b), k), 3)
			return []string{b.spelt("n2", b.op("Conv2D", "c2", convAttrs("SAME"), x, k), 3)}
		}, map[string]int{"Conv2D": 2, "BiasAdd": 2, "Mul": 0}},
		{"an input through an identity", func(b *builder) []string {
			return []string{b.op("Identity", "i", nil, images(b)), b.conv("c", "images", 1, 3, 2)}
		}, map[string]int{"Identity": 1}},

		{"batch norm before the convolution", func(b *builder) []string {
			x := b.op("Relu", "r", nil, b.spelt("n", images(b), 3))
			return []string{b.conv("c", x, 3, 3, 4)}
		}, map[string]int{"Mul": 1, "AddV2": 1, "Rsqrt": 0, "Sub": 0}},
		{"fused batch norm before the convolution", func(b *builder) []string {
			x := b.op("Relu", "r", nil, b.norm("FusedBatchNormV3", "n", images(b), 3))
			return []string{b.conv("c", x, 3, 3, 4)}
		}, map[string]int{"Mul": 1, "AddV2": 1, "FusedBatchNormV3": 0}},
		{"fused batch norm twice", func(b *builder) []string {
			return []string{b.norm("FusedBatchNormV3", "n2", b.norm("FusedBatchNormV3", "n1", images(b), 3), 3)}
		}, map[string]int{"Mul": 1, "AddV2": 1}},
		{"fixed values", func(b *builder) []string {
			k := b.op("Mul", "kk", nil, b.op("Tanh", "t", nil, b.weight("k", 0, 1, 1, 3, 4)), b.scalar("two", 2))
			return []string{b.op("Conv2D", "c", convAttrs("SAME"), images(b), k)}
		}, map[string]int{"Tanh": 0, "Mul": 0, "VarHandleOp": 1}},
		{"fixed outputs of one node", func(b *builder) []string {
			axis := b.add(int32Const("axis", true, 0))
			b.op("Split", "split", attrs{"num_split": intAttr(2)}, axis, b.weight("k", 0, 6))
			x := b.op("Mul", "m", nil, images(b), "split")
			return []string{b.op("AddV2", "a", nil, x, b.op("Exp", "e", nil, "split:1"))}
		}, map[string]int{"Split": 0, "Exp": 0, "VarHandleOp": 2}},
		{"equal weights", func(b *builder) []string {
			x := b.op("Mul", "m", nil, images(b), b.values("u", []int64{3}, 1, 2, 3))
			x = b.op("Tanh", "t", nil, x)
			x = b.op("Mul", "m2", nil, x, b.values("v", []int64{3}, 1, 2, 3))
			x = b.op("Tanh", "t2", nil, x)
			return []string{b.op("Mul", "m3", nil, x, b.values("w", []int64{1, 3}, 1, 2, 3))}
		}, map[string]int{"VarHandleOp": 2, "ReadVariableOp": 2}},
		{"equal constants", func(b *builder) []string {
			x := b.mean("m1", images(b))
			return []string{b.op("AddV2", "a", nil, x, b.mean("m2", b.conv("c", "images", 1, 3, 3)))}
		}, map[string]int{"Const": 1}},
		{"control edges go", func(b *builder) []string {
			x := b.conv("c", images(b), 3, 3, 4)
			y := b.op("Relu", "y", nil, x, "^late")
			b.op("Exp", "late", nil, "images")
			return []string{y}
		}, map[string]int{"Exp": 0}},
		{"whole networks", func(b *builder) []string {
			n := residual()
			b.nodes, b.weights = n.Graph.GetNode()[2*len(n.Weights):], n.Weights
			return []string{"probabilities", "logits/BiasAdd"}
		}, map[string]int{"Conv2D": 3, "MatMul": 1, "BiasAdd": 4, "Mul": 0, "AddV2": 1, "FusedBatchNormV3": 0, "ReadVariableOp": 8, "Const": 1}},
		{"a training batch norm stays", func(b *builder) []string {
			n := b.norm("FusedBatchNormV3", "n", b.conv("c", images(b), 3, 3, 4), 4)
			b.nodes[len(b.nodes)-1].Attr["is_training"] = boolAttr(true)
			return []string{n}
		}, map[string]int{"FusedBatchNormV3": 1}},
		{"a batch norm in an older graph trains by default", func(b *builder) []string {
			n := b.norm("FusedBatchNormV3", "n", b.conv("c", images(b), 3, 3, 4), 4)
			delete(b.nodes[len(b.nodes)-1].Attr, "is_training")
			return []string{n}
		}, map[string]int{"FusedBatchNormV3": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder()
			outputs := tt.build(b)
			n := b.network(outputs...)
			x := example(t, n)
			want := run(t, n, x)
			folded, err := n.Fold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range run(t, folded, x) {
				if d := distance(t, got, want[i]); d > 1e-5 {
					t.Errorf("output %s is off by %g", outputs[i], d)
				}
			}
			for op, count := range tt.want {
				if got := ops(folded)[op]; got != count {
					t.Errorf("%d %s are left, want %d, in %v", got, op, count, ops(folded))
				}
			}
			again, err := folded.Fold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if a, b := len(again.Graph.GetNode()), len(folded.Graph.GetNode()); a != b {
				t.Errorf("folding again leaves %d nodes of %d", a, b)
			}
		})
	}

	t.Run("channels first stay", func(t *testing.T) { // the CPU cannot run them, so only the form is compared
		b := newBuilder()
		x := b.op("Conv2D", "c", channelsFirst(convAttrs("SAME")), b.input(-1, 3, 6, 6), b.weight("k", 0, 3, 3, 3, 4))
		x = b.op("BiasAdd", "bias", attrs{"data_format": stringAttr("NCHW")}, x, b.weight("b", 0, 4))
		x = b.norm("FusedBatchNormV3", "n", x, 4)
		b.nodes[len(b.nodes)-1].Attr["data_format"] = stringAttr("NCHW")
		folded, err := b.network(x).Fold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := ops(folded); left["BiasAdd"] != 1 || left["FusedBatchNormV3"] != 1 {
			t.Errorf("%v are left", left)
		}
	})
}

// The last node of a chain keeps its name, so that an endpoint found before
// folding still exists afterwards.
func TestFoldKeepsEndpoints(t *testing.T) {
	n := residual()
	folded, err := n.Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := n.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	after, err := folded.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != len(after) {
		t.Fatalf("%v before, %v after", before, after)
	}
	for i := range before {
		if before[i].Name != after[i].Name || before[i].Tensor != after[i].Tensor {
			t.Errorf("%v before, %v after", before[i], after[i])
		}
	}
}

func TestFoldFailures(t *testing.T) {
	invalid := residual()
	invalid.Weights = nil
	if _, err := invalid.Fold(t.Context()); err == nil {
		t.Error("a network without its weights was folded")
	}

	b := newBuilder()
	n := b.network(b.op("MatMul", "y", nil, b.input(-1, 3), b.weight("k", 0, 4, 2)))
	var refused *tensorflow.Error
	if _, err := n.Fold(t.Context()); !errors.As(err, &refused) {
		t.Errorf("shapes that do not fit: got %v, want TensorFlow's error", err)
	}

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := residual().Fold(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// Folding does not modify the network or its weights.
func TestFoldChangesNothing(t *testing.T) {
	n := residual()
	before, err := n.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.BFloat16(); err != nil {
		t.Fatal(err)
	}
	if after, err := n.Digest(); err != nil || after != before {
		t.Errorf("digest %s became %s, %v", before, after, err)
	}
}

// The same network folds to the same file.
func TestFoldIsDeterministic(t *testing.T) {
	var first string
	for range 3 {
		folded, err := residual().Fold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		digest, err := folded.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = digest
		}
		if digest != first {
			t.Fatalf("%s, then %s", first, digest)
		}
	}
}
