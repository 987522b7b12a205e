package tfrecord

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// features are those of an Example by name.
type features map[string]feature

// feature is a list of values, of which the first is kept. It is read without
// a copy: an image is the larger part of a record.
type feature struct {
	kind  kind
	count int
	bytes []byte // the first, of kindBytes
	at    int    // where those begin in the record
	int   int64  // the first, of kindInt
}

type kind int

const (
	kindNone  kind = iota
	kindBytes      // the numbers of the fields of message Feature
	kindFloat
	kindInt
)

func (f feature) String() string {
	what := map[kind]string{kindNone: "empty", kindBytes: "texts", kindFloat: "numbers", kindInt: "integers"}[f.kind]
	return fmt.Sprintf("%d %s", f.count, what)
}

// label is the value as the name of a class: a text, or an integer that is not
// negative; otherwise "".
func (f feature) label() string {
	switch {
	case f.count == 0:
		return ""
	case f.kind == kindBytes:
		return string(f.bytes)
	case f.kind == kindInt && f.int >= 0:
		return strconv.FormatInt(f.int, 10)
	}
	return ""
}

func (f features) names() string {
	if len(f) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(f)), ", ")
}

// parseExample reads a tf.train.Example in the wire format of protocol
// buffers:
//
//	message Example { Features features = 1; }
//	message Features { map<string, Feature> feature = 1; }
//	message Feature { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
func parseExample(b []byte) (features, error) {
	out := make(features)
	err := fields(b, 0, func(number protowire.Number, v value) error {
		if number != 1 {
			return nil
		}
		return v.message(func(number protowire.Number, v value) error {
			if number != 1 {
				return nil
			}
			var name string
			var f feature
			err := v.message(func(number protowire.Number, v value) error {
				if !v.isBytes {
					return errors.New("a feature is no message")
				}
				switch number {
				case 1:
					name = string(v.bytes)
				case 2:
					var err error
					f, err = parseFeature(v)
					return err
				}
				return nil
			})
			if name != "" {
				out[name] = f
			}
			return err
		})
	})
	return out, err
}

func parseFeature(v value) (f feature, err error) {
	err = v.message(func(number protowire.Number, list value) error {
		switch k := kind(number); {
		case k < kindBytes || k > kindInt:
			return nil
		case k != f.kind: // of a oneof the last counts, and parts of one list add up
			f = feature{kind: k}
		}
		return list.message(func(number protowire.Number, v value) error {
			if number != 1 {
				return nil
			}
			return f.add(v)
		})
	})
	return f, err
}

// add takes a value of the list, or several integers packed.
func (f *feature) add(v value) error {
	switch f.kind {
	case kindBytes:
		if !v.isBytes {
			return errors.New("a text is no text")
		}
		if f.count++; f.count == 1 {
			f.bytes, f.at = v.bytes, v.at
		}
	case kindInt:
		if !v.isBytes {
			f.addInt(v.number)
			return nil
		}
		for b := v.bytes; len(b) > 0; {
			n, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return protowire.ParseError(size)
			}
			f.addInt(n)
			b = b[size:]
		}
	case kindFloat:
		if f.count++; v.isBytes { // packed
			f.count += len(v.bytes)/4 - 1
		}
	}
	return nil
}

func (f *feature) addInt(n uint64) {
	if f.count++; f.count == 1 {
		f.int = int64(n)
	}
}

// value is that of a field, with its place in the record.
type value struct {
	isBytes bool
	bytes   []byte
	at      int
	number  uint64
}

func (v value) message(each func(protowire.Number, value) error) error {
	if !v.isBytes {
		return errors.New("a number stands where a message is due")
	}
	return fields(v.bytes, v.at, each)
}

// fields reads the fields of a message that begins at a place of the record.
func fields(b []byte, at int, each func(protowire.Number, value) error) error {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b, at = b[n:], at+n
		var v value
		switch wire {
		case protowire.BytesType:
			v.isBytes = true
			if v.bytes, n = protowire.ConsumeBytes(b); n >= 0 {
				v.at = at + n - len(v.bytes)
			}
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(number, wire, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := each(number, v); err != nil {
			return err
		}
		b, at = b[n:], at+n
	}
	return nil
}
