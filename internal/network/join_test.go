package network

import (
	"slices"
	"strings"
	"testing"

	"tkit/internal/tensorflow"
)

// A trunk and a head made separately can be joined whatever their names.
func TestJoinRenames(t *testing.T) {
	b := newBuilder()
	trunk := b.network(b.dense("dense", b.input(-1, 4), 4, 3))
	b = newBuilder()
	b.random.Uint64() // other weights
	head := b.network(b.dense("dense", b.input(-1, 3), 3, 2))
	x := example(t, trunk)
	middle, err := tensorflow.FromFloat32([]int64{2, 3}, run(t, trunk, x)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer middle.Close()
	want := run(t, head, middle)[0]
	joined, err := Join(trunk, head)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, joined, x)[0]; !slices.Equal(got, want) {
		t.Errorf("off by %g", distance(t, got, want))
	}
	if w := joined.Weight("head/dense/kernel"); w == nil || joined.Weight("dense/kernel") == nil {
		t.Errorf("weights are %v", joined.Weights)
	}
	again, err := Join(joined, mustJoinable(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Validate(); err != nil {
		t.Error(err)
	}
	if again.Weight("head_1/dense/kernel") == nil {
		t.Errorf("weights are %v", again.Weights)
	}
}

// The head's input may have the name of a node inside the trunk.
func TestJoinKeepsTheTrunk(t *testing.T) {
	trunk, _, err := layered().Cut("third/relu", PoolLayers)
	if err != nil {
		t.Fatal(err)
	}
	inside := strings.TrimSuffix(mustID(trunk.Outputs[0].Tensor).Node, "/layers")
	b := newBuilder()
	input := b.add(PlaceholderNode(inside, tensorflow.Float32, []int64{-1, 16}))
	head := b.network(b.dense("classes", input, 16, 2))
	head.Inputs = []TensorInfo{{Name: inside, Tensor: inside + ":0", DataType: tensorflow.Float32, Shape: []int64{-1, 16}}}
	x := example(t, trunk)
	middle, err := tensorflow.FromFloat32([]int64{2, 16}, run(t, trunk, x)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer middle.Close()
	joined, err := Join(trunk, head)
	if err != nil {
		t.Fatal(err)
	}
	if err := joined.Validate(); err != nil {
		t.Fatal(err)
	}
	if d := distance(t, run(t, joined, x)[0], run(t, head, middle)[0]); d > 1e-6 {
		t.Errorf("off by %g", d)
	}
}

func mustJoinable(t *testing.T) *Network {
	t.Helper()
	b := newBuilder()
	for range 3 {
		b.random.Uint64()
	}
	return b.network(b.dense("dense", b.input(-1, 2), 2, 2))
}

// Parts that are equal in both are shared when joined.
func TestJoinShares(t *testing.T) {
	b := newBuilder()
	k := b.weight("k", 0, 3, 3)
	x := b.op("Relu", "a/relu", nil, b.op("MatMul", "a/product", nil, b.input(-1, 3), k))
	n := b.network(b.op("MatMul", "b/product", nil, x, k))
	trunk, rest, err := n.Cut("a", PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := Join(trunk, rest)
	if err != nil {
		t.Fatal(err)
	}
	if len(joined.Weights) != 1 || len(joined.Graph.GetNode()) != len(n.Graph.GetNode()) {
		t.Errorf("joined to %v", joined.Graph)
	}
}

func TestJoinFailures(t *testing.T) {
	b := newBuilder()
	three := b.network(b.dense("d", b.input(-1, 4), 4, 3))
	three.Outputs[0].Shape = []int64{-1, 3}
	b = newBuilder()
	four := b.network(b.dense("d", b.input(-1, 4), 4, 4))
	if _, err := Join(three, four); err == nil || !strings.Contains(err.Error(), "the trunk's output is") {
		t.Errorf("shapes that do not fit: %v", err)
	}
	if _, err := Join(residual(), four); err == nil || !strings.Contains(err.Error(), "2 outputs") {
		t.Errorf("a trunk of two outputs: %v", err)
	}
	wide := b.network("d/BiasAdd")
	wide.Inputs[0].DataType = tensorflow.Float64
	if _, err := Join(four, wide); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("types that do not fit: %v", err)
	}
}
