// Package wire converts batches to the messages of plugins/proto and back.
// Neither side trusts its input.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"tkit/internal/preprocessing"
	"tkit/plugins/internal/shared"
	"tkit/plugins/proto"
)

// alignment is that of data in shared memory, a cache line.
const alignment = 64

// Align rounds a size up so that the following data is aligned.
func Align(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// Size returns the number of bytes of a batch's data.
func Size(b preprocessing.Batch) int {
	n := len(b.Uint8) + 4*len(b.Float32)
	for _, file := range b.Encoded {
		n += len(file)
	}
	return n
}

// Inline returns the message of a batch with its data.
func Inline(b preprocessing.Batch) *proto.Batch {
	m := header(b)
	data := raw(b)
	if b.Kind == preprocessing.Encoded {
		data = make([]byte, 0, Size(b))
		for _, file := range b.Encoded {
			data = append(data, file...)
		}
	}
	m.Data = &proto.Batch_Inline{Inline: data}
	return m
}

// Shared returns the message of a batch whose data it copies to room, which is
// at offset and large enough.
func Shared(b preprocessing.Batch, room []byte, offset uint64) *proto.Batch {
	m := header(b)
	size := Size(b)
	if b.Kind == preprocessing.Encoded {
		for _, file := range b.Encoded {
			room = room[copy(room, file):]
		}
	} else {
		copy(room, raw(b))
	}
	m.Data = &proto.Batch_Shared{Shared: &proto.Span{Offset: offset, Length: uint64(size)}}
	return m
}

// Within returns the message of a batch of pixels in memory that starts at
// offset, and false if they are elsewhere.
func Within(b preprocessing.Batch, memory []byte, offset uint64) (*proto.Batch, bool) {
	data := raw(b)
	if len(data) == 0 || len(memory) == 0 {
		return nil, false
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	base := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	if start < base || start+uintptr(len(data)) > base+uintptr(len(memory)) {
		return nil, false
	}
	m := header(b)
	m.Data = &proto.Batch_Shared{Shared: &proto.Span{Offset: offset + uint64(start-base), Length: uint64(len(data))}}
	return m, true
}

// Batch returns the batch of a message. Its data is in the message or in the
// area, which may be nil.
func Batch(m *proto.Batch, area *shared.Area) (preprocessing.Batch, error) {
	b := preprocessing.Batch{
		Kind:  preprocessing.Kind(m.GetKind()),
		Count: int(m.GetCount()),
		Shape: [3]int{int(m.GetHeight()), int(m.GetWidth()), int(m.GetChannels())},
	}
	data, err := data(m, area)
	if err != nil {
		return b, err
	}
	switch b.Kind {
	case preprocessing.Encoded:
		if b.Encoded, err = part(data, m.GetLengths()); err != nil {
			return b, err
		}
	case preprocessing.Uint8:
		b.Uint8 = data
	case preprocessing.Float32:
		if b.Float32, err = floats(data); err != nil {
			return b, err
		}
	}
	return b, b.Validate()
}

func header(b preprocessing.Batch) *proto.Batch {
	m := &proto.Batch{
		Kind: proto.Kind(b.Kind), Count: uint32(b.Count),
		Height: uint32(b.Shape[0]), Width: uint32(b.Shape[1]), Channels: uint32(b.Shape[2]),
	}
	for _, file := range b.Encoded {
		m.Lengths = append(m.Lengths, uint64(len(file)))
	}
	return m
}

func data(m *proto.Batch, area *shared.Area) ([]byte, error) {
	switch d := m.GetData().(type) {
	case *proto.Batch_Inline:
		return d.Inline, nil
	case *proto.Batch_Shared:
		if area == nil {
			return nil, errors.New("a batch in shared memory, but no memory is shared")
		}
		return area.Bytes(d.Shared.GetOffset(), d.Shared.GetLength())
	}
	return nil, errors.New("a batch without data")
}

// part cuts data into files of the given lengths.
func part(data []byte, lengths []uint64) ([][]byte, error) {
	files := make([][]byte, len(lengths))
	for i, n := range lengths {
		if n > uint64(len(data)) {
			return nil, fmt.Errorf("encoded image %d has %d bytes, but %d are left", i+1, n, len(data))
		}
		files[i], data = data[:n:n], data[n:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last encoded image", len(data))
	}
	return files, nil
}

// raw returns the memory of a batch's pixels, in the byte order of the
// protocol.
func raw(b preprocessing.Batch) []byte {
	switch {
	case b.Kind == preprocessing.Uint8:
		return b.Uint8
	case b.Kind != preprocessing.Float32 || len(b.Float32) == 0:
		return nil
	case littleEndian:
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b.Float32))), 4*len(b.Float32))
	}
	data := make([]byte, 0, 4*len(b.Float32))
	for _, v := range b.Float32 {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// floats converts little-endian numbers, without copying if possible.
func floats(data []byte) ([]float32, error) {
	if len(data)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are not float32 values", len(data))
	}
	if len(data) == 0 {
		return nil, nil
	}
	start := unsafe.Pointer(unsafe.SliceData(data))
	if littleEndian && uintptr(start)%4 == 0 {
		return unsafe.Slice((*float32)(start), len(data)/4), nil
	}
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values, nil
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
