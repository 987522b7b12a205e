package bundle

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	slicepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_slice_go_proto"
	types "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	bundlepb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
)

// entryOfSlices describes a tensor with separately stored slices.
func entryOfSlices(dt types.DataType, shape []int64, parts ...slice) *bundlepb.BundleEntryProto {
	e := &bundlepb.BundleEntryProto{Dtype: dt, Shape: shapeProto(shape)}
	for _, s := range parts {
		p := &slicepb.TensorSliceProto{}
		for _, x := range s {
			extent := &slicepb.TensorSliceProto_Extent{Start: x.start}
			if x.length != whole {
				extent.HasLength = &slicepb.TensorSliceProto_Extent_Length{Length: x.length}
			}
			p.Extent = append(p.Extent, extent)
		}
		e.Slices = append(e.Slices, p)
	}
	return e
}

// TestOrderedCode checks that encoded bytes sort like the values.
func TestOrderedCode(t *testing.T) {
	values := []int64{math.MinInt64, math.MinInt64 + 1, -1 << 40, -8193, -8192, -65, -64, -1, 0, 1, 63, 64, 8191, 8192, 1 << 20, 1 << 55, 1 << 62, math.MaxInt64}
	var last []byte
	for _, v := range values {
		b := appendOrderedSigned(nil, v)
		if bytes.Compare(last, b) >= 0 {
			t.Errorf("%d encodes as %x, not above %x", v, b, last)
		}
		last = b
	}
	last = nil
	for _, v := range []uint64{0, 1, 255, 256, 1 << 33, math.MaxUint64} {
		b := appendOrdered(nil, v)
		if bytes.Compare(last, b) >= 0 {
			t.Errorf("%d encodes as %x, not above %x", v, b, last)
		}
		last = b
	}
}

// TestMove copies random boxes out of tensors of several ranks and back, and
// compares with elementwise copies.
func TestMove(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int64{{}, {5}, {4, 3}, {2, 5, 3}, {3, 2, 2, 4}, {2, 0, 3}} {
		for range 20 {
			s := make(slice, len(shape))
			for i, d := range shape {
				s[i].start = rng.Int64N(d + 1)
				s[i].length = rng.Int64N(d - s[i].start + 1)
			}
			all := counting(shape...)
			size, err := bytesOf(types.DataType_DT_FLOAT, s.shape())
			if err != nil {
				t.Fatal(err)
			}
			part := make([]byte, size)
			s.move(all.Data, shape, part, 4, true)
			if want := take(all, s); !bytes.Equal(part, want) {
				t.Fatalf("slice %v of %v: %v, want %v", s, shape, part, want)
			}
			back := slices.Clone(all.Data)
			s.move(back, shape, bytes.Repeat([]byte{9}, int(size)), 4, false)
			if changed := take(Tensor{Shape: shape, Data: back}, s); !bytes.Equal(changed, bytes.Repeat([]byte{9}, int(size))) {
				t.Fatalf("slice %v put into %v: %v", s, shape, changed)
			}
			s.move(back, shape, part, 4, false)
			if !bytes.Equal(back, all.Data) {
				t.Fatalf("slice %v of %v put back: %v", s, shape, back)
			}
		}
	}
}

// take copies a box element by element.
func take(t Tensor, s slice) []byte {
	out := []byte{}
	for i := range int64(len(t.Data) / 4) {
		inside, rest := true, i
		for d := len(s) - 1; d >= 0; d-- {
			at := rest % t.Shape[d]
			rest /= t.Shape[d]
			inside = inside && at >= s[d].start && at < s[d].start+s[d].length
		}
		if inside {
			out = append(out, t.Data[4*i:4*i+4]...)
		}
	}
	return out
}

func TestAssembleRefuses(t *testing.T) {
	for name, parts := range map[string][]slice{
		"a gap":        {{{0, 1}, {0, whole}}, {{2, 2}, {0, whole}}},
		"an overlap":   {{{0, 2}, {0, whole}}, {{1, 3}, {0, whole}}},
		"out of range": {{{0, 5}, {0, whole}}},
		"rank":         {{{0, 4}}},
		"not stored":   {{{0, 4}, {0, 3}}},
	} {
		r := &Reader{prefix: "m", shards: []shard{{"m.data", bytes.NewReader(make([]byte, 1024)), 1024}}, entries: map[string]*bundlepb.BundleEntryProto{
			"w": entryOfSlices(types.DataType_DT_FLOAT, []int64{4, 3}, parts...),
		}}
		if name != "not stored" {
			for _, s := range parts {
				if resolved, err := s.resolve([]int64{4, 3}); err == nil {
					size, _ := bytesOf(types.DataType_DT_FLOAT, resolved.shape())
					r.entries[s.key("w")] = &bundlepb.BundleEntryProto{Dtype: types.DataType_DT_FLOAT, Shape: shapeProto(resolved.shape()), Size: size}
				}
			}
		}
		if _, err := r.Tensor("w"); err == nil {
			t.Errorf("slices with %s were assembled", name)
		}
	}
}
