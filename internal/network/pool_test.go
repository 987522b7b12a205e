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
