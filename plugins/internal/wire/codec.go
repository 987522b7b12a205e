package wire

import (
	"bytes"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one rests on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	"tkit/plugins/proto"
)

// Codec is gRPC's codec for protocol buffers, except for the data of batches
// inside messages, whose transfer takes most of the time: they are copied once,
// into cached memory, when they are sent, and not copied when received. The
// messages are ordinary protocol buffers.
type Codec struct {
	encoding.CodecV2
	buffers *Buffers
	least   int // the size of messages from which the optimisation applies
}

var _ encoding.CodecV2 = Codec{}

// NewCodec returns the codec for either side of a connection.
func NewCodec(b *Buffers) Codec { return Codec{encoding.GetCodecV2("proto"), b, 64 << 10} }

// Marshal encodes a message.
func (c Codec) Marshal(message any) (mem.BufferSlice, error) {
	m, ok := message.(protobuf.Message)
	if !ok {
		return c.CodecV2.Marshal(message)
	}
	size := protobuf.Size(m)
	if size < c.least {
		return c.CodecV2.Marshal(message)
	}
	buffer := c.buffers.Get(size)
	if _, err := (protobuf.MarshalOptions{UseCachedSize: true}).MarshalAppend((*buffer)[:0], m); err != nil {
		c.buffers.Put(buffer)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(buffer, c.buffers)}, nil
}

// Unmarshal decodes a message, whose inline data aliases the received bytes.
func (c Codec) Unmarshal(received mem.BufferSlice, into any) error {
	var batch func() *proto.Batch
	var field protowire.Number
	switch m := into.(type) {
	case *proto.ProcessRequest:
		batch, field = m.GetBatch, 2
	case *proto.ProcessResponse:
		batch, field = m.GetBatch, 1
	}
	if batch == nil || received.Len() < c.least {
		return c.CodecV2.Unmarshal(received, into)
	}
	pieces := make([][]byte, len(received))
	for i, piece := range received {
		pieces[i] = piece.ReadOnlyData()
	}
	message := bytes.Join(pieces, nil) // unlike make it does not clear memory first
	rest, data, ok := cutInline(message, field)
	if !ok {
		rest = message
	}
	if err := c.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(rest)}, into); err != nil || !ok {
		return err
	}
	if b := batch(); b != nil { // a later field in the message may replace it
		b.Data = &proto.Batch_Inline{Inline: data}
	}
	return nil
}

// inlineField is the field number of Batch.inline.
const inlineField = 7

// cutInline separates the inline data from a message whose batch is the given
// field. It returns false unless the message has the usual form of libraries:
// one batch, with the data at its end.
func cutInline(message []byte, field protowire.Number) (rest, data []byte, ok bool) {
	start, batch, end, ok := only(message, field)
	if !ok {
		return nil, nil, false
	}
	at, data, until, ok := only(batch, inlineField)
	if !ok || until != len(batch) {
		return nil, nil, false
	}
	rest = append(rest, message[:start]...)
	rest = protowire.AppendTag(rest, field, protowire.BytesType)
	rest = protowire.AppendBytes(rest, batch[:at])
	rest = append(rest, message[end:]...)
	return rest, data[:len(data):len(data)], true
}

// only finds the value of a bytes field that occurs once in a message, and the
// bounds of the field including its tag.
func only(message []byte, field protowire.Number) (start int, value []byte, end int, ok bool) {
	for at := 0; at < len(message); {
		number, kind, n := protowire.ConsumeField(message[at:])
		if n < 0 {
			return 0, nil, 0, false
		}
		if number == field {
			if ok || kind != protowire.BytesType {
				return 0, nil, 0, false
			}
			_, _, tag := protowire.ConsumeTag(message[at:])
			value, _ = protowire.ConsumeBytes(message[at+tag:])
			start, end, ok = at, at+n, true
		}
		at += n
	}
	return start, value, end, ok
}
