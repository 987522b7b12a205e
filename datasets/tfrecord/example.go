package tfrecord

import (
	"encoding/binary"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"tkit/datasets/shards"
)

// features holds the features of an Example by name.
type features map[string]feature

// feature is a list of values. It is parsed without copying, because an image
// is most of a record.
type feature struct {
	shards.Values
	at int // where the first text begins in the record
}

// The field numbers of the message Feature.
const (
	bytesList = 1
	floatList = 2
	int64List = 3
)

// parseExample parses a tf.train.Example in the wire format of protocol
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
				if v.wire != protowire.BytesType {
					return errors.New("a feature is not a message")
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
	var last protowire.Number
	err = v.message(func(number protowire.Number, list value) error {
		if number < bytesList || number > int64List {
			return nil
		}
		if number != last { // the last value of a oneof counts, and parts of one list are merged
			f, last = feature{}, number
		}
		return list.message(func(field protowire.Number, v value) error {
			if field != 1 {
				return nil
			}
			return f.add(number, v)
		})
	})
	return f, err
}

// add adds a value of the list of a kind, or several packed numbers.
func (f *feature) add(list protowire.Number, v value) error {
	switch {
	case list == bytesList && v.wire == protowire.BytesType:
		if f.Count == 0 {
			f.at = v.at
		}
		f.AddText(v.bytes)
	case list == int64List && v.wire == protowire.VarintType:
		f.AddInteger(int64(v.number))
	case list == int64List && v.wire == protowire.BytesType:
		for b := v.bytes; len(b) > 0; {
			n, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return protowire.ParseError(size)
			}
			f.AddInteger(int64(n))
			b = b[size:]
		}
	case list == floatList && v.wire == protowire.Fixed32Type:
		f.AddFloat(float64(math.Float32frombits(uint32(v.number))))
	case list == floatList && v.wire == protowire.BytesType && len(v.bytes)%4 == 0:
		for b := v.bytes; len(b) > 0; b = b[4:] {
			f.AddFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	default:
		return errors.New("a value is not of the kind of its list")
	}
	return nil
}

// value is a field's value with its position in the record.
type value struct {
	wire   protowire.Type
	bytes  []byte
	at     int
	number uint64
}

func (v value) message(each func(protowire.Number, value) error) error {
	if v.wire != protowire.BytesType {
		return errors.New("a number instead of a message")
	}
	return fields(v.bytes, v.at, each)
}

// fields parses the fields of a message at a position of the record.
func fields(b []byte, at int, each func(protowire.Number, value) error) error {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b, at = b[n:], at+n
		v := value{wire: wire}
		switch wire {
		case protowire.BytesType:
			if v.bytes, n = protowire.ConsumeBytes(b); n >= 0 {
				v.at = at + n - len(v.bytes)
			}
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(b)
			v.number = uint64(bits)
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
