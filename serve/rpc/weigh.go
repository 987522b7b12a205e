package rpc

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// growth is the size of a message in memory, at most, relative to the largest
	// message: integers of one byte take eight.
	growth = 4
	// deepest is how deep messages may nest; TensorFlow's take six levels.
	deepest = 32

	// The approximate sizes in memory of an empty message of TensorFlow, the header
	// of a string, and a number.
	messageWeight = 512
	stringWeight  = 32
	numberWeight  = 8
)

var errHeavy = errors.New("too heavy")

// weigh estimates the memory of a message without unmarshalling it: two bytes may
// become five hundred. The error is errHeavy if it exceeds most.
func weigh(raw []byte, d protoreflect.MessageDescriptor, most int64) (int64, error) {
	w := &weigher{most: most}
	err := w.message(raw, d, 0)
	return w.sum, err
}

type weigher struct{ sum, most int64 }

func (w *weigher) add(n int) error {
	if w.sum += int64(n); w.sum > w.most {
		return errHeavy
	}
	return nil
}

func (w *weigher) message(raw []byte, d protoreflect.MessageDescriptor, depth int) error {
	if depth > deepest {
		return fmt.Errorf("its parts nest deeper than %d", deepest)
	}
	if err := w.add(messageWeight); err != nil {
		return err
	}
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
			return protowire.ParseError(n)
		}
		if err := w.field(d.Fields().ByNumber(number), kind, raw[:n], depth); err != nil {
			return err
		}
		raw = raw[n:]
	}
	return nil
}

// field weighs the value of a field; f is nil for an unknown field, whose bytes
// are kept.
func (w *weigher) field(f protoreflect.FieldDescriptor, kind protowire.Type, value []byte, depth int) error {
	if f == nil || kind != protowire.BytesType {
		return w.add(numberWeight + len(value))
	}
	content, n := protowire.ConsumeBytes(value)
	if n < 0 {
		return protowire.ParseError(n)
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		return w.message(content, f.Message(), depth+1)
	case protoreflect.StringKind, protoreflect.BytesKind:
		return w.add(stringWeight + len(content))
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return w.add(len(content))
	}
	numbers := 0 // packed: the last byte of each has its highest bit clear
	for _, c := range content {
		if c < 0x80 {
			numbers++
		}
	}
	return w.add(numbers * numberWeight)
}
