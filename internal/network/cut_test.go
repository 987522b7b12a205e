package network

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"tkit/internal/tensorflow"
)

// At every endpoint the joined halves equal the whole: bit for bit if the
// graphs run unoptimised, because TensorFlow's optimizer and oneDNN round
// differently depending on how much of a graph they see.
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
			want := runUnoptimised(t, n, x)
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
				middle := runUnoptimised(t, trunk, x)[0]
				b, err := tensorflow.FromFloat32(append([]int64{2}, e.Shape...), middle)
				if err != nil {
					t.Fatal(err)
				}
				joined, err := Join(trunk, rest)
				if err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
				for i := range want {
					if got := runUnoptimised(t, rest, b)[i]; !slices.Equal(got, want[i]) {
						t.Errorf("%s: the rest's output %d is off by %g", e.Name, i, distance(t, got, want[i]))
					}
					if got := runUnoptimised(t, joined, x)[i]; !slices.Equal(got, want[i]) {
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
			t.Errorf("cut at %q differs", name)
		}
	}
	// Tensors that are not listed can also be named.
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
		{"stemm", PoolNone, nil, "similar names are stem, "},
		{"", PoolNone, nil, "similar names are"},
		{"stem/relu:1", PoolNone, nil, "outputs"},
		{"block/conv_1", PoolNone, ErrNotACut, `input "images"`},
		{"images", PoolNone, ErrNotACut, "is the input"},
		{"stem/conv/kernel/read", PoolNone, ErrNotACut, "bypasses"},
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
