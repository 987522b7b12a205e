package bundle

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	slicepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_slice_go_proto"
)

// A slice is a box of a tensor, stored as one part of a partitioned variable.
type slice []extent

// An extent is one dimension of a slice. A length of -1 means the whole
// dimension.
type extent struct{ start, length int64 }

const whole = -1

// resolve returns the slice with its lengths filled in, checked against the
// whole tensor's shape.
func (s slice) resolve(shape []int64) (slice, error) {
	if len(s) != len(shape) {
		return nil, fmt.Errorf("slice of rank %d of a tensor of shape %v", len(s), shape)
	}
	out := make(slice, len(s))
	for i, e := range s {
		if e.length == whole {
			e.length = shape[i] - e.start
		}
		if e.start < 0 || e.length < 0 || e.start > shape[i] || e.length > shape[i]-e.start {
			return nil, fmt.Errorf("slice %v lies outside a tensor of shape %v", s, shape)
		}
		out[i] = e
	}
	return out, nil
}

func (s slice) shape() []int64 {
	shape := make([]int64, len(s))
	for i, e := range s {
		shape[i] = e.length
	}
	return shape
}

// meets reports whether two resolved slices of one tensor overlap.
func (s slice) meets(o slice) bool {
	for i := range s {
		if s[i].start+s[i].length <= o[i].start || o[i].start+o[i].length <= s[i].start {
			return false
		}
	}
	return true
}

// move copies between a whole tensor and the part given by a resolved slice:
// out of the part, or into it.
func (s slice) move(all []byte, shape []int64, part []byte, size int64, intoPart bool) {
	if len(part) == 0 {
		return
	}
	row := size // contiguous bytes in both
	if n := len(s); n > 0 {
		row *= s[n-1].length
	}
	at := make([]int64, max(len(s)-1, 0)) // position of the row in the slice
	for done := int64(0); done < int64(len(part)); done += row {
		offset := int64(0)
		for i, e := range s {
			position := e.start
			if i < len(at) {
				position += at[i]
			}
			offset = offset*shape[i] + position
		}
		offset *= size
		if intoPart {
			copy(part[done:done+row], all[offset:])
		} else {
			copy(all[offset:offset+row], part[done:])
		}
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < s[i].length {
				break
			}
			at[i] = 0
		}
	}
}

// parseSlice parses the shape_and_slices argument of SaveV2 and RestoreV2, such
// as "10 4 0,5:-": the whole tensor's dimensions, then start and length of
// each, with "-" for the whole dimension. An empty string means the whole
// tensor.
func parseSlice(spec string) (slice, error) {
	fields := strings.Fields(spec)
	if len(fields) == 0 {
		return nil, nil
	}
	bad := fmt.Errorf("slice %q is not of the form \"10 4 0,5:-\"", spec)
	parts := strings.Split(fields[len(fields)-1], ":")
	if len(parts) != len(fields)-1 {
		return nil, bad
	}
	s := make(slice, len(parts))
	for i, part := range parts {
		if part == "-" {
			s[i] = extent{0, whole}
			continue
		}
		start, length, ok := strings.Cut(part, ",")
		if !ok {
			return nil, bad
		}
		var err1, err2 error
		s[i].start, err1 = strconv.ParseInt(start, 10, 64)
		s[i].length, err2 = strconv.ParseInt(length, 10, 64)
		if err1 != nil || err2 != nil || s[i].start < 0 || s[i].length < 0 {
			return nil, bad
		}
	}
	return s, nil
}

func sliceOf(p *slicepb.TensorSliceProto) slice {
	s := make(slice, len(p.GetExtent()))
	for i, e := range p.GetExtent() {
		s[i] = extent{e.GetStart(), whole}
		if e.GetHasLength() != nil {
			s[i].length = e.GetLength()
		}
	}
	return s
}

// key returns the key of a stored slice's entry: zero, the name, the rank and
// the extents in TensorFlow's OrderedCode, whose bytes sort like the values.
func (s slice) key(name string) string {
	b := []byte{0} // the number 0
	for _, c := range []byte(name) {
		switch b = append(b, c); c {
		case 0x00:
			b = append(b, 0xff)
		case 0xff:
			b = append(b, 0x00)
		}
	}
	b = append(b, 0x00, 0x01)
	b = appendOrdered(b, uint64(len(s)))
	for _, e := range s {
		b = appendOrderedSigned(b, e.start)
		b = appendOrderedSigned(b, e.length)
	}
	return string(b)
}

// appendOrdered encodes a number as its byte count and its bytes.
func appendOrdered(b []byte, v uint64) []byte {
	n := (bits.Len64(v) + 7) / 8
	b = append(b, byte(n))
	return append(b, binary.BigEndian.AppendUint64(nil, v)[8-n:]...)
}

// appendOrderedSigned encodes a number in n bytes whose first n bits are ones
// and the next a zero, all inverted for negative numbers.
func appendOrderedSigned(b []byte, v int64) []byte {
	magnitude, sign := uint64(v), byte(0)
	if v < 0 {
		magnitude, sign = ^magnitude, 0xff
	}
	n := bits.Len64(magnitude)/7 + 1
	full := binary.BigEndian.AppendUint64([]byte{sign, sign}, uint64(v))
	out := full[len(full)-n:]
	header := uint16(0xffff) << (16 - n) // the first n bits
	out[0] ^= byte(header >> 8)
	if n > 1 {
		out[1] ^= byte(header)
	}
	return append(b, out...)
}
