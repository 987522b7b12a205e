package network

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

// At every endpoint the joined halves are the whole, to the bit.
func TestCutJoin(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    *Network
	}{
		{"unfolded", residual()},
		{"folded", folded(t, residual())},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := tt.n
			x := example(t, n)
			want := run(t, n, x)
			endpoints, err := n.Endpoints()
			if err != nil {
				t.Fatal(err)
			}
			if len(endpoints) < 3 {
				t.Fatalf("only %v", endpoints)
			}
			for _, e := range endpoints {
				trunk, rest, err := n.Cut(e.Name, PoolNone)
				if err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
				if len(trunk.Outputs) != 1 || trunk.Outputs[0].Name != "bottleneck" || !slices.Equal(trunk.Outputs[0].Shape[1:], e.Shape) {
					t.Errorf("%s: the trunk ends in %+v", e.Name, trunk.Outputs)
				}
				if len(rest.Inputs) != 1 || rest.Inputs[0].Name != "bottleneck" || !slices.Equal(rest.Inputs[0].Shape[1:], e.Shape) {
					t.Errorf("%s: the rest begins with %+v", e.Name, rest.Inputs)
				}
				if got := len(trunk.Weights) + len(rest.Weights); got != len(n.Weights) {
					t.Errorf("%s: %d weights in both parts, %d in the whole", e.Name, got, len(n.Weights))
				}
				middle := run(t, trunk, x)[0]
				b, err := tensorflow.FromFloat32(append([]int64{2}, e.Shape...), middle)
				if err != nil {
					t.Fatal(err)
				}
				joined, err := Join(trunk, rest)
				if err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
				for i := range want {
					if got := run(t, rest, b)[i]; !slices.Equal(got, want[i]) {
						t.Errorf("%s: the rest's output %d is off by %g", e.Name, i, distance(t, got, want[i]))
					}
					if got := run(t, joined, x)[i]; !slices.Equal(got, want[i]) {
						t.Errorf("%s: the joined output %d is off by %g", e.Name, i, distance(t, got, want[i]))
					}
				}
				b.Close()
			}
		})
	}
}

func folded(t testing.TB, n *Network) *Network {
	t.Helper()
	f, err := n.Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCutByOtherNames(t *testing.T) {
	n := residual()
	want, _, err := n.Cut("stem", PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stem/relu", "stem/relu:0"} {
		got, _, err := n.Cut(name, PoolNone)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got.Graph, want.Graph) {
			t.Errorf("cut at %q is another", name)
		}
	}
	// Places that are not listed can be named, too.
	if _, _, err := n.Cut("stem/conv", PoolNone); err != nil {
		t.Error(err)
	}
}

func TestCutFailures(t *testing.T) {
	for _, tt := range []struct {
		at   string
		pool Pool
		is   error
		want string
	}{
		{"stemm", PoolNone, nil, "near it are stem, "},
		{"", PoolNone, nil, "near it are"},
		{"stem/relu:1", PoolNone, nil, "outputs"},
		{"block/conv_1", PoolNone, ErrNotACut, `input "images"`},
		{"images", PoolNone, ErrNotACut, "is the input"},
		{"stem/conv/kernel/read", PoolNone, ErrNotACut, "goes around"},
		{"block_out", "max", nil, "unknown pool"},
		{"pool", PoolAverage, nil, "does not fit"},
		{"pool", PoolGrid2, nil, "does not fit"},
	} {
		_, _, err := residual().Cut(tt.at, tt.pool)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("cut at %q, pool %q: got %v, want %q", tt.at, tt.pool, err, tt.want)
		}
	}

	b := newBuilder()
	x := b.op("Relu", "small/relu", nil, b.conv("small/conv", b.input(-1, 3, 3, 2), 1, 2, 2))
	n := b.network(b.mean("mean", x))
	if _, _, err := n.Cut("small", PoolGrid4); err == nil || !strings.Contains(err.Error(), "at least 4×4") {
		t.Errorf("a grid finer than the map: got %v", err)
	}
	b = newBuilder()
	x = b.op("Relu", "open/relu", nil, b.conv("open/conv", b.input(-1, -1, -1, 2), 1, 2, 2))
	n = b.network(b.mean("mean", x))
	for _, pool := range []Pool{PoolGrid2, PoolFlatten} {
		if _, _, err := n.Cut("open", pool); err == nil || !strings.Contains(err.Error(), "static") {
			t.Errorf("pool %q of a map of unknown size: got %v", pool, err)
		}
	}
	if _, _, err := n.Cut("open", PoolAverage); err != nil {
		t.Errorf("the average of a map of unknown size: %v", err)
	}
}

// A network that ends in its features is cut at its output.
func TestCutAtOutput(t *testing.T) {
	b := newBuilder()
	n := b.network(b.mean("features/mean", b.op("Relu", "conv/relu", nil, b.conv("conv/conv", b.input(-1, 4, 4, 2), 3, 2, 3))))
	x := example(t, n)
	want := run(t, n, x)[0]
	trunk, rest, err := n.Cut("features", PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := Join(trunk, rest)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, joined, x)[0]; !slices.Equal(got, want) {
		t.Errorf("off by %g", distance(t, got, want))
	}
	if out := joined.Outputs[0]; out.Name != "features/mean" {
		t.Errorf("the output is %+v", out)
	}
}

func TestPools(t *testing.T) {
	const h, w, c = 7, 5, 3
	b := newBuilder()
	x := b.op("Relu", "map/relu", nil, b.op("Mul", "map/mul", nil, b.input(-1, h, w, c), b.weight("map/weight", 1, c)))
	n := b.network(b.mean("mean", x))
	in := example(t, n)
	plain, _, err := n.Cut("map", PoolNone)
	if err != nil {
		t.Fatal(err)
	}
	values := run(t, plain, in)[0]
	at := func(image, i, j, k int) float64 { return float64(values[((image*h+i)*w+j)*c+k]) }
	window := func(image, i0, i1, j0, j1, k int) float32 {
		sum := 0.0
		for i := i0; i < i1; i++ {
			for j := j0; j < j1; j++ {
				sum += at(image, i, j, k)
			}
		}
		return float32(sum / float64((i1-i0)*(j1-j0)))
	}
	grid := func(g int) (want []float32) {
		for image := range 2 {
			for i := range g {
				for j := range g {
					for k := range c {
						sh, sw := h/g, w/g
						want = append(want, window(image, i*sh, h-(g-1-i)*sh, j*sw, w-(g-1-j)*sw, k))
					}
				}
			}
		}
		return want
	}
	for _, tt := range []struct {
		pool  Pool
		width int64
		want  []float32
	}{
		{PoolAverage, c, grid(1)},
		{PoolGrid2, 4 * c, grid(2)},
		{PoolGrid4, 16 * c, grid(4)},
		{PoolFlatten, h * w * c, values},
	} {
		trunk, rest, err := n.Cut("map", tt.pool)
		if err != nil {
			t.Fatal(err)
		}
		out := trunk.Outputs[0]
		if out.Name != "bottleneck" || !slices.Equal(out.Shape, []int64{-1, tt.width}) {
			t.Errorf("pool %q gives %+v", tt.pool, out)
		}
		if p := rest.Inputs[0]; p.Name != "endpoint" || len(p.Shape) != 4 {
			t.Errorf("pool %q leaves %+v", tt.pool, p)
		}
		got := run(t, trunk, in)[0]
		if d := distance(t, got, tt.want); d > 1e-6 {
			t.Errorf("pool %q is off by %g", tt.pool, d)
		}
	}
}

func TestPoolChannelsFirst(t *testing.T) {
	b := newBuilder()
	a := convAttrs("SAME")
	a["data_format"] = stringAttr("NCHW")
	x := b.op("Conv2D", "c", a, b.input(-1, 3, 6, 6), b.weight("k", 0, 3, 3, 3, 4))
	x = b.op("Relu", "map/relu", nil, x)
	n := b.network(b.op("Relu", "out/relu6", nil, x))
	if _, _, err := n.Cut("map/relu", PoolAverage); err == nil || !strings.Contains(err.Error(), "NHWC") {
		t.Errorf("got %v", err)
	}
}

// A trunk and a head that were made apart join whatever their names.
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

func mustJoinable(t *testing.T) *Network {
	t.Helper()
	b := newBuilder()
	for range 3 {
		b.random.Uint64()
	}
	return b.network(b.dense("dense", b.input(-1, 2), 2, 2))
}

// What both parts hold alike, they hold once when joined.
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
	if _, err := Join(three, four); err == nil || !strings.Contains(err.Error(), "the trunk gives") {
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

func TestPrune(t *testing.T) {
	b := newBuilder()
	x := b.input(-1, 4)
	other := b.add(PlaceholderNode("other", tensorflow.Float32, []int64{-1, 4}))
	x = b.dense("first", x, 4, 3)
	y := b.op("AddV2", "sum", nil, b.dense("second", other, 4, 3), x)
	b.nodes[len(b.nodes)-1].Attr["_class"] = stringAttr("loc:@elsewhere")
	n := b.network(x, y)
	one, err := n.Prune(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Weights) != 2 || len(one.Inputs) != 1 || len(one.Outputs) != 1 || one.Validate() != nil {
		t.Errorf("one output takes %v, %v", one.Weights, one.Inputs)
	}
	all, err := n.Prune()
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Weights) != 4 || len(all.Inputs) != 2 || all.Validate() != nil {
		t.Errorf("all outputs take %v, %v", all.Weights, all.Inputs)
	}
	for _, node := range all.Graph.GetNode() {
		if node.GetAttr()["_class"] != nil {
			t.Errorf("%q is still bound to a place", node.GetName())
		}
	}
	if _, err := n.Prune("none"); err == nil || !strings.Contains(err.Error(), "no output") {
		t.Errorf("an unknown output: %v", err)
	}
}

func TestBFloat16(t *testing.T) {
	n := folded(t, residual())
	x := example(t, n)
	want := run(t, n, x)
	narrow, err := n.BFloat16()
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range run(t, narrow, x) {
		if d := distance(t, got, want[i]); d > 0.03 || d == 0 {
			t.Errorf("output %d is off by %g", i, d)
		}
	}
	if narrow.Inputs[0].DataType != tensorflow.Float32 || narrow.Outputs[0].DataType != tensorflow.Float32 {
		t.Errorf("ports are %v, %v", narrow.Inputs, narrow.Outputs)
	}
	if 2*narrow.Bytes() != n.Bytes() {
		t.Errorf("%d bytes of weights, were %d", narrow.Bytes(), n.Bytes())
	}
	for _, node := range narrow.Graph.GetNode() {
		in32 := attrType(node, "T") == tensorflow.Float32
		if wide[node.GetOp()] != in32 && attrType(node, "T") != 0 {
			t.Errorf("%s %q computes in %v", node.GetOp(), node.GetName(), attrType(node, "T"))
		}
	}
	if again, err := narrow.BFloat16(); err != nil || len(again.Graph.GetNode()) != len(narrow.Graph.GetNode()) {
		t.Errorf("once more changes it: %v", err)
	}
}

// Unfolded networks, too, and those whose statistics stay in float32.
func TestBFloat16Unfolded(t *testing.T) {
	n := residual()
	x := example(t, n)
	want := run(t, n, x)
	narrow, err := n.BFloat16()
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range run(t, narrow, x) {
		if d := distance(t, got, want[i]); d > 0.05 {
			t.Errorf("output %d is off by %g", i, d)
		}
	}
	if w := narrow.Weight("stem/norm/variance"); w.DataType != tensorflow.Float32 {
		t.Errorf("the variance is %v", w.DataType)
	}
}

func TestToBFloat16(t *testing.T) {
	for _, tt := range []struct{ in, want float32 }{
		{0, 0}, {1, 1}, {-2.5, -2.5}, {1.00390625, 1}, {1.01171875, 1.015625}, {1.0039064, 1.0078125},
		{math.MaxFloat32, float32(math.Inf(1))}, {float32(math.Inf(-1)), float32(math.Inf(-1))},
	} {
		raw := toBFloat16(floats("", []int64{1}, tt.in).Data)
		got := math.Float32frombits(uint32(raw[0])<<16 | uint32(raw[1])<<24)
		if got != tt.want {
			t.Errorf("%g became %g, want %g", tt.in, got, tt.want)
		}
	}
	raw := toBFloat16(floats("", []int64{1}, math.Float32frombits(0x7f800001)).Data)
	if v := math.Float32frombits(uint32(raw[0])<<16 | uint32(raw[1])<<24); !math.IsNaN(float64(v)) {
		t.Errorf("not-a-number became %g", v)
	}
}
