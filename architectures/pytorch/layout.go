package pytorch

import (
	"encoding/binary"
	"fmt"
	"math"

	"tkit/internal/tensorflow"
	"tkit/internal/weightfile"
)

// float32s reads a tensor of floating-point numbers as float32, little-endian.
func float32s(t *weightfile.Tensor) ([]byte, error) {
	raw, err := t.Bytes()
	if err != nil || t.Type == tensorflow.Float32 {
		return raw, err
	}
	size := t.Type.Size()
	out := make([]byte, 0, 4*len(raw)/max(size, 1))
	for ; len(raw) > 0; raw = raw[size:] {
		var v float32
		switch t.Type {
		case tensorflow.Float64:
			v = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		case tensorflow.BFloat16:
			v = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw)) << 16)
		case tensorflow.Float16:
			v = half(binary.LittleEndian.Uint16(raw))
		default:
			return nil, fmt.Errorf("its type is %s, and weights are floating-point numbers", t.Type)
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out, nil
}

// half is the value of an IEEE 754 number of 16 bits.
func half(b uint16) float32 {
	sign, exponent, fraction := uint32(b>>15)<<31, int(b>>10&0x1f), uint32(b&0x3ff)
	switch {
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case exponent == 0:
		v := float32(math.Ldexp(float64(fraction), -24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	}
	return math.Float32frombits(sign | uint32(exponent+112)<<23 | fraction<<13)
}

// permute reorders the dimensions of float32 elements: the i-th of the result is
// the order[i]-th of shape.
func permute(values []byte, shape []int64, order []int) []byte {
	strides := make([]int, len(shape))
	next := 4
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = next
		next *= int(shape[i])
	}
	out := make([]byte, 0, len(values))
	var walk func(depth, at int)
	walk = func(depth, at int) {
		if depth == len(order) {
			out = append(out, values[at:at+4]...)
			return
		}
		for range shape[order[depth]] {
			walk(depth+1, at)
			at += strides[order[depth]]
		}
	}
	walk(0, 0)
	return out
}
