package savedmodel

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxFields bounds the messages and strings in a protocol buffer. Two bytes
	// of a file may become hundreds in memory. ResNet-50 has two hundred
	// thousand.
	maxFields = 1 << 23
	// maxNesting bounds the nesting of messages. A model has about fifteen
	// levels.
	maxNesting = 100
)

// unmarshal parses a protocol buffer. Its memory is bounded by the size of the
// input plus a few gigabytes.
func unmarshal(b []byte, m proto.Message) error {
	fields := 0
	if err := countFields(b, m.ProtoReflect().Descriptor(), &fields, 0); err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

// countFields counts the nested messages and strings of a message, at every
// depth.
func countFields(b []byte, md protoreflect.MessageDescriptor, count *int, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("its messages are nested more than %d deep", maxNesting)
	}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if *count++; *count > maxFields {
			return fmt.Errorf("it has more than %d parts", maxFields)
		}
		if field := md.Fields().ByNumber(number); field != nil && field.Kind() == protoreflect.MessageKind {
			if err := countFields(value, field.Message(), count, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
