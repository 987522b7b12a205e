package network

import (
	"slices"
	"strings"
	"testing"
)

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

// layered is a network with three maps of 6, 3 and 3 pixels a side, the last two
// of which are joined by a shortcut, and a vector.
func layered() *Network {
	b := newBuilder()
	x := b.input(-1, 6, 6, 3)
	x = b.op("Relu", "first/relu", nil, b.conv("first", x, 3, 3, 4))
	x = b.op("MaxPool", "second/pool", attrs{"ksize": intsAttr(1, 2, 2, 1), "strides": intsAttr(1, 2, 2, 1), "padding": stringAttr("VALID")}, x)
	inside := b.op("Relu", "inside/relu", nil, b.conv("inside", x, 3, 4, 4))
	x = b.op("Relu", "third/relu", nil, b.op("AddV2", "third/sum", nil, x, b.conv("third", inside, 1, 4, 4)))
	return b.network(b.dense("classes", b.mean("mean", x), 4, 2))
}

// The mean of the last map is followed by the maxima of all maps that are
// endpoints, before and after folding, alone and among several cuts.
func TestPoolLayers(t *testing.T) {
	n := layered()
	in := example(t, n)
	var want [][]float32 // of each map, the largest value of each image's channels
	maps := []string{"first/relu", "second/pool", "third/relu"}
	for _, at := range maps {
		trunk, _, err := n.Cut(at, PoolNone)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, largest(run(t, trunk, in)[0], 2, 4))
	}
	mean, _, err := n.Cut("third/relu", PoolAverage)
	if err != nil {
		t.Fatal(err)
	}
	means := run(t, mean, in)[0]
	var all []float32
	for image := range 2 {
		all = append(all, means[4*image:4*image+4]...)
		for i := range maps {
			all = append(all, want[i][4*image:4*image+4]...)
		}
	}
	for name, n := range map[string]*Network{"unfolded": n, "folded": folded(t, n)} {
		trunk, rest, err := n.Cut("third/relu", PoolLayers)
		if err != nil {
			t.Fatal(err)
		}
		if shape := trunk.Outputs[0].Shape; !slices.Equal(shape, []int64{-1, 16}) {
			t.Errorf("%s: the bottleneck has the shape %v", name, shape)
		}
		if p := rest.Inputs[0]; p.Name != "endpoint" || len(p.Shape) != 4 {
			t.Errorf("%s: it leaves %+v", name, p)
		}
		if d := distance(t, run(t, trunk, in)[0], all); d > 1e-5 {
			t.Errorf("%s: off by %g", name, d)
		}
		narrow, err := trunk.BFloat16()
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(t, run(t, narrow, in)[0], all); d > 0.05 {
			t.Errorf("%s: in bfloat16 off by %g", name, d)
		}
		probe, widths, err := n.Probe([]Cut{{"third/relu", PoolAverage}, {"third/relu", PoolLayers}})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(widths, []int64{4, 16}) {
			t.Errorf("%s: widths %v", name, widths)
		}
		both := run(t, probe, in)[0]
		if d := distance(t, slices.Concat(both[4:20], both[24:40]), all); d > 1e-5 {
			t.Errorf("%s: among several cuts off by %g", name, d)
		}
	}
}

// largest returns the maximum of each channel of each image.
func largest(values []float32, images, channels int) []float32 {
	out := make([]float32, 0, images*channels)
	size := len(values) / images
	for image := range images {
		for c := range channels {
			most := values[image*size+c]
			for i := c; i < size; i += channels {
				most = max(most, values[image*size+i])
			}
			out = append(out, most)
		}
	}
	return out
}

func TestPoolLayersRefused(t *testing.T) {
	if _, _, err := layered().Cut("mean", PoolLayers); err == nil || !strings.Contains(err.Error(), "layers") {
		t.Errorf("a vector: %v", err)
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
