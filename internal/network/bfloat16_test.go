package network

import (
	"math"
	"testing"

	"tkit/internal/tensorflow"
)

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

// Also unfolded networks, whose statistics stay in float32.
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
