package wire

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	protobuf "google.golang.org/protobuf/proto"

	"tkit/internal/fuzztest"
	"tkit/internal/preprocessing"
	"tkit/plugins/proto"
)

// eager applies the optimisation to messages of any size.
func eager() Codec {
	c := NewCodec(&Buffers{})
	c.least = 0
	return c
}

func request(t testing.TB, b preprocessing.Batch) []byte {
	t.Helper()
	message, err := protobuf.Marshal(&proto.ProcessRequest{Config: []byte(`{}`), Batch: Inline(b), Room: &proto.Span{Offset: 1, Length: 2}})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestInlineDataAreNotCopied(t *testing.T) {
	in := preprocessing.Batch{Kind: preprocessing.Uint8, Count: 1, Shape: [3]int{1, 5, 1}, Uint8: []uint8("pixel")}
	message := request(t, in)
	rest, data, ok := cutInline(message, 2)
	if at := bytes.Index(message, in.Uint8); !ok || string(data) != "pixel" || &data[0] != &message[at] || bytes.Contains(rest, data) {
		t.Errorf("cut %q from %q, %t", data, message, ok)
	}
	var m proto.ProcessRequest
	if err := eager().Unmarshal(mem.BufferSlice{mem.SliceBuffer(message[:9]), mem.SliceBuffer(message[9:])}, &m); err != nil {
		t.Fatal(err)
	}
	out, err := Batch(m.GetBatch(), nil)
	if err != nil || !out.Equal(in) || m.GetRoom().GetLength() != 2 || string(m.GetConfig()) != "{}" {
		t.Errorf("read %v, %v", &m, err)
	}
}

// Large messages are encoded like by protocol buffers, in memory that is reused
// after sending.
func TestMarshalKeepsItsMemory(t *testing.T) {
	var buffers Buffers
	codec := NewCodec(&buffers)
	var last *byte
	for turn := range 3 {
		in := preprocessing.Batch{Kind: preprocessing.Uint8, Count: 1, Shape: [3]int{1, 100_000, 1}, Uint8: bytes.Repeat([]byte{byte(turn)}, 100_000)}
		m := &proto.ProcessRequest{Config: []byte(`{}`), Batch: Inline(in)}
		want, err := protobuf.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := codec.Marshal(m)
		if err != nil || !bytes.Equal(sent.Materialize(), want) {
			t.Fatalf("turn %d: %d bytes, want %d; %v", turn, sent.Len(), len(want), err)
		}
		memory := &sent[0].ReadOnlyData()[0]
		if turn > 0 && memory != last {
			t.Errorf("turn %d does not use the memory of the last", turn)
		}
		last = memory
		sent.Free()
	}
}

func TestBuffers(t *testing.T) {
	var b Buffers
	for _, size := range []int{1, frameSize, frameSize + 1, keptLarge + 1} {
		first := b.Get(size)
		if len(*first) != size {
			t.Fatalf("asked for %d, got %d", size, len(*first))
		}
		if other := b.Get(size); &(*other)[0] == &(*first)[0] {
			t.Fatalf("a buffer of %d is given twice", size)
		}
		b.Put(first)
		again := b.Get(size)
		if kept := &(*again)[0] == &(*first)[0]; kept != (size <= keptLarge) {
			t.Errorf("a buffer of %d is kept: %t", size, kept)
		}
	}
}

// The codec decodes any input like protocol buffers.
func FuzzCodec(f *testing.F) {
	f.Add(request(f, preprocessing.Batch{Kind: preprocessing.Uint8, Count: 1, Shape: [3]int{1, 1, 1}, Uint8: []uint8{7}}))
	f.Add(request(f, preprocessing.Batch{Kind: preprocessing.Encoded, Count: 2, Encoded: [][]byte{[]byte("ab"), nil}}))
	f.Add([]byte{0x12, 3, 0x3a, 1, 'x', 0x12, 2, 0x42, 0})       // two batches
	f.Add([]byte{0x12, 5, 0x3a, 1, 'x', 0x10, 9})                // data that do not end it
	f.Add([]byte{0x0a, 3, 0x3a, 1, 'x', 0x12, 2, 0x08, 1, 0x1a}) // cut off
	f.Add([]byte{0x0a, 3, 0x3a, 1, 'x', 0x12, 0})                // a batch, and then a fault in its place
	f.Fuzz(func(t *testing.T, message []byte) {
		defer fuzztest.Watch(t, len(message))()
		for _, pair := range [][2]protobuf.Message{
			{&proto.ProcessRequest{}, &proto.ProcessRequest{}}, {&proto.ProcessResponse{}, &proto.ProcessResponse{}},
		} {
			err := eager().Unmarshal(mem.BufferSlice{mem.SliceBuffer(bytes.Clone(message))}, pair[0])
			want := protobuf.Unmarshal(message, pair[1])
			if (err == nil) != (want == nil) {
				t.Fatalf("error %v, want %v", err, want)
			}
			if err == nil && !protobuf.Equal(pair[0], pair[1]) {
				t.Fatalf("read %v, want %v", pair[0], pair[1])
			}
			if err != nil {
				continue
			}
			sent, err := eager().Marshal(pair[0])
			if err != nil {
				t.Fatal(err)
			}
			again := pair[1].ProtoReflect().New().Interface()
			if err := protobuf.Unmarshal(sent.Materialize(), again); err != nil || !protobuf.Equal(again, pair[1]) {
				t.Fatalf("sent %v, want %v; %v", again, pair[1], err)
			}
		}
	})
}

// A batch is decoded without a panic and without more memory than was sent, or
// refused.
func FuzzBatch(f *testing.F) {
	for _, b := range []preprocessing.Batch{
		{Kind: preprocessing.Float32, Count: 1, Shape: [3]int{1, 1, 1}, Float32: []float32{1.5}},
		{Kind: preprocessing.Encoded, Count: 2, Encoded: [][]byte{[]byte("ab"), []byte("c")}},
	} {
		message, err := protobuf.Marshal(Inline(b))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		defer fuzztest.Watch(t, len(message))()
		var m proto.Batch
		if protobuf.Unmarshal(message, &m) != nil {
			return
		}
		b, err := Batch(&m, nil)
		if err != nil {
			return
		}
		if err := b.Validate(); err != nil {
			t.Fatalf("an invalid batch passes: %v", err)
		}
		again, err := Batch(Inline(b), nil)
		if err != nil || Size(again) != Size(b) {
			t.Fatalf("%d bytes became %d, %v", Size(b), Size(again), err)
		}
	})
}
