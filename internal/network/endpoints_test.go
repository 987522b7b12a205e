package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tkit/internal/needs"
)

func listed(t *testing.T, n *Network) []string {
	t.Helper()
	endpoints, err := n.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, e := range endpoints {
		if e.Index != i {
			t.Errorf("%v is at %d", e, i)
		}
		list = append(list, fmt.Sprint(e.Name, " ", e.Op, " ", e.Shape))
	}
	return list
}

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(b *builder) string
		want  []string
	}{
		{"a chain", func(b *builder) string {
			x := b.op("Relu", "a/relu", nil, b.spelt("a/bn", b.conv("a/conv", b.input(-1, 4, 4, 3), 3, 3, 2), 2))
			return b.mean("pool/mean", b.op("Relu6", "b/relu", nil, b.conv("b/conv", x, 3, 2, 5)))
		}, []string{"a Relu [4 4 2]", "b Relu6 [4 4 5]", "pool Mean [5]"}},
		{"preprocessing is none", func(b *builder) string {
			x := b.op("Mul", "scale/mul", nil, b.input(-1, 4, 4, 3), b.scalar("factor", 2))
			x = b.op("Pad", "pad/pad", attrs{"Tpaddings": typeAttr(3)}, x, b.add(int32Matrix("pad/by", 4, 2)))
			return b.op("Relu", "a/relu", nil, b.conv("a/conv", x, 1, 3, 2))
		}, []string{"a Relu [4 4 2]"}},
		{"branches hold none", func(b *builder) string {
			x := b.op("Relu", "stem/relu", nil, b.conv("stem/conv", b.input(-1, 4, 4, 3), 1, 3, 2))
			l := b.op("Relu", "left/relu", nil, b.conv("left/conv", x, 1, 2, 2))
			r := b.op("Relu", "right/relu", nil, b.conv("right/conv", x, 3, 2, 3))
			axis := b.add(int32Const("mixed/axis", true, 3))
			x = b.op("ConcatV2", "mixed/concat", attrs{"N": intAttr(2), "Tidx": typeAttr(3)}, l, r, axis)
			return b.mean("pool/mean", x)
		}, []string{"stem Relu [4 4 2]", "mixed ConcatV2 [4 4 5]", "pool Mean [5]"}},
		{"a swish is one", func(b *builder) string {
			x := b.conv("a/conv", b.input(-1, 4, 4, 3), 1, 3, 2)
			x = b.op("Mul", "a/swish", nil, x, b.op("Sigmoid", "a/sigmoid", nil, x))
			return b.mean("pool/mean", x)
		}, []string{"a Mul [4 4 2]", "pool Mean [2]"}},
		{"a sum before its own norm and activation", func(b *builder) string {
			x := b.conv("a/conv", b.input(-1, 4, 4, 3), 1, 3, 2)
			y := b.op("Relu", "pre/relu", nil, b.norm("FusedBatchNormV3", "pre/norm", x, 2))
			x = b.op("AddV2", "out/add", nil, x, b.conv("b/conv", y, 3, 2, 2))
			y = b.op("Relu", "pre2/relu", nil, b.norm("FusedBatchNormV3", "pre2/norm", x, 2))
			x = b.op("AddV2", "out2/add", nil, x, b.conv("c/conv", y, 3, 2, 2))
			return b.mean("pool/mean", x)
		}, []string{"a Conv2D [4 4 2]", "out AddV2 [4 4 2]", "out2 AddV2 [4 4 2]", "pool Mean [2]"}},
		{"no probabilities", func(b *builder) string {
			x := b.op("Relu", "a/relu", nil, b.dense("a", b.input(-1, 3), 3, 4))
			return b.op("Softmax", "predictions/softmax", nil, b.dense("predictions", x, 4, 2))
		}, []string{"a Relu [4]", "predictions BiasAdd [2]"}},
		{"names without scopes", func(b *builder) string {
			x := b.op("Relu", "relu_1", nil, b.conv("conv_1", b.input(-1, 4, 4, 3), 1, 3, 2))
			return b.op("Relu", "relu_2", nil, b.conv("conv_2", x, 1, 2, 2))
		}, []string{"relu_1 Relu [4 4 2]", "relu_2 Relu [4 4 2]"}},
		{"one scope around all", func(b *builder) string {
			x := b.op("Relu", "model/relu_1", nil, b.conv("model/conv_1", b.input(-1, 4, 4, 3), 1, 3, 2))
			return b.op("Relu", "model/relu_2", nil, b.conv("model/conv_2", x, 1, 2, 2))
		}, []string{"model/relu_1 Relu [4 4 2]", "model Relu [4 4 2]"}},
		{"an exported Keras model", func(b *builder) string {
			x := b.op("Relu", "Call/net_1/block1_out_1/Relu", nil, b.conv("Call/net_1/block1_conv_1/convolution", b.input(-1, 4, 4, 3), 1, 3, 2))
			x = b.spelt("Call/net_1/conv2d_1_2/batchnorm", b.conv("Call/net_1/conv2d_1_2/convolution", x, 1, 2, 2), 2)
			x = b.op("MaxPool", "Call/net_1/pool_1/MaxPool2d", attrs{"ksize": intsAttr(1, 2, 2, 1), "strides": intsAttr(1, 2, 2, 1), "padding": stringAttr("VALID")}, x)
			return b.mean("Call/net_1/avg_pool_1/Mean", x)
		}, []string{"block1_out Relu [4 4 2]", "conv2d_1 AddV2 [4 4 2]", "pool MaxPool [2 2 2]", "avg_pool Mean [2]"}},
		{"numbers that belong to the layers", func(b *builder) string {
			x := b.op("Relu", "net_1/unit_1/Relu", nil, b.conv("net_1/unit_1/conv", b.input(-1, 4, 4, 3), 1, 3, 2))
			x = b.op("Relu", "net_1/unit_2/Relu", nil, b.conv("net_1/unit_2/conv", x, 1, 2, 2))
			return b.op("Relu", "net_1/last/Relu", nil, b.conv("net_1/last/conv", x, 1, 2, 2))
		}, []string{"unit_1 Relu [4 4 2]", "unit_2 Relu [4 4 2]", "last Relu [4 4 2]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder()
			n := b.network(tt.build(b))
			if got := listed(t, n); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if got := listed(t, folded(t, n)); len(got) != len(tt.want) {
				t.Errorf("folded: %q", got)
			}
		})
	}
}

// Every listed name identifies exactly one place.
func TestEndpointNamesAreUnique(t *testing.T) {
	n := residual()
	seen := make(map[string]bool)
	for _, p := range n.places() {
		if p.name == "" || seen[p.name] {
			t.Errorf("%v has no name of its own", p)
		}
		seen[p.name] = true
		if at, err := n.resolve(p.name); err != nil || at != p.at {
			t.Errorf("%q is found at %v, %v", p.name, at, err)
		}
	}
}

func TestEndpointsOfSeveralInputs(t *testing.T) {
	b := newBuilder()
	x := b.op("Relu", "left/relu", nil, b.dense("left", b.input(-1, 4), 4, 3))
	b.add(PlaceholderNode("other", 1, []int64{-1, 4}))
	y := b.op("Relu", "right/relu", nil, b.dense("right", "other", 4, 3))
	x = b.op("AddV2", "sum/add", nil, x, y)
	n := b.network(b.dense("out", x, 3, 2))
	if got := listed(t, n); len(got) != 2 || !strings.HasPrefix(got[0], "sum ") {
		t.Errorf("got %q", got)
	}
	if _, _, err := n.Cut("left", PoolNone); err == nil {
		t.Error("cut one of two paths")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"conv1_relu", "pool1_pool", "conv5_block3_out", "avg_pool"}
	if got := nearest("conv5_block2_out", names, 2); got[0] != "conv5_block3_out" || len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if got := nearest("x", nil, 3); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// A graph that is one long chain needs little stack and time.
func TestPlacesOfALongChain(t *testing.T) {
	needs.Minutes(t)
	b := newBuilder()
	x := b.input(2)
	for i := range 200_000 {
		x = b.op("Neg", fmt.Sprint("n", i), nil, x)
	}
	if got := len(b.network(x).places()); got != 200_000 {
		t.Errorf("%d places", got)
	}
}
