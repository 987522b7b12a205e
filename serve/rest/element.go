package rest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkit/inference"
	"tkit/internal/tensorflow"
)

var little = binary.LittleEndian

// whole are the integer types.
var whole = []inference.DataType{tensorflow.Int8, tensorflow.Int16, tensorflow.Int32, tensorflow.Int64,
	tensorflow.Uint8, tensorflow.Uint16, tensorflow.Uint32, tensorflow.Uint64}

func isSigned(dt inference.DataType) bool {
	return slices.Contains(whole[:4], dt)
}

// appendElement reads the next element, of a given type, and appends it to a
// tensor's bytes.
func appendElement(data []byte, s *scanner, dt inference.DataType) ([]byte, error) {
	switch dt {
	case tensorflow.Float32:
		v, err := s.float(32)
		return little.AppendUint32(data, math.Float32bits(float32(v))), err
	case tensorflow.Float64:
		v, err := s.float(64)
		return little.AppendUint64(data, math.Float64bits(v)), err
	case tensorflow.Float16, tensorflow.BFloat16:
		v, err := s.float(32)
		return little.AppendUint16(data, shortFloat(float32(v), dt)), err
	case tensorflow.Bool:
		switch w := string(s.word()); w {
		case "true":
			return append(data, 1), nil
		case "false":
			return append(data, 0), nil
		default:
			return nil, s.errorf("expected true or false, found %.20q", w)
		}
	}
	if !slices.Contains(whole, dt) {
		return nil, unknownType("an input", dt)
	}
	v, err := s.integer(8*dt.Size(), isSigned(dt))
	if err != nil {
		return nil, err
	}
	return append(data, little.AppendUint64(nil, v)[:dt.Size()]...), nil
}

// integer reads an integer of the given number of bits, as two's complement.
func (s *scanner) integer(bits int, signed bool) (uint64, error) {
	w := string(s.word())
	if w == "" {
		return 0, s.errorf("expected a number")
	}
	if !isNumber(w) || strings.ContainsAny(w, ".eE") {
		return 0, s.errorf("%.40q is not an integer", w)
	}
	var v uint64
	var err error
	if signed {
		var i int64
		i, err = strconv.ParseInt(w, 10, bits)
		v = uint64(i)
	} else {
		v, err = strconv.ParseUint(w, 10, bits)
	}
	if err != nil {
		kind := "int"
		if !signed {
			kind = "uint"
		}
		return 0, s.errorf("%.40s does not fit in %s%d", w, kind, bits)
	}
	return v, nil
}

// shortFloat rounds to the nearest float16 or bfloat16, ties to even.
func shortFloat(v float32, dt inference.DataType) uint16 {
	b := math.Float32bits(v)
	if dt == tensorflow.BFloat16 {
		if v != v {
			return uint16(b>>16) | 0x40
		}
		return uint16((b + 0x7fff + b>>16&1) >> 16)
	}
	sign := uint16(b>>16) & 0x8000
	switch abs := math.Abs(float64(v)); {
	case v != v:
		return sign | 0x7e00
	case abs >= 65520: // half-way between the largest value and the next
		return sign | 0x7c00
	case abs < 1.0/(1<<14): // subnormal: multiples of 2^-24
		return sign | uint16(math.RoundToEven(abs*(1<<24)))
	default: // from a 23-bit to a 10-bit fraction, and from the bias 127 to 15
		m := b & 0x7fffffff
		return sign | uint16((m+0xfff+m>>13&1)>>13-(127-15)<<10)
	}
}

// longFloat is the value of a float16 or bfloat16.
func longFloat(b uint16, dt inference.DataType) float32 {
	if dt == tensorflow.BFloat16 {
		return math.Float32frombits(uint32(b) << 16)
	}
	sign, exponent, fraction := uint32(b&0x8000)<<16, uint32(b>>10&0x1f), uint32(b&0x3ff)
	switch exponent {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// An elementWriter appends element i of a tensor.
type elementWriter func(b []byte, i int) []byte

// writer returns the function that writes the elements of an output. As in
// TensorFlow Serving, strings are text, or base64 if the output's name ends in
// "_bytes". Strings that are not UTF-8 are also base64, since JSON text cannot
// contain them.
func writer(t inference.Tensor) (elementWriter, error) {
	d := t.Data
	switch t.Type {
	case tensorflow.String:
		encode := strings.HasSuffix(t.Name, "_bytes")
		return func(b []byte, i int) []byte { return appendString(b, t.Strings[i], encode) }, nil
	case tensorflow.Float32:
		values := t.Float32()
		return func(b []byte, i int) []byte { return appendFloat(b, float64(values[i]), 32) }, nil
	case tensorflow.Float64:
		return func(b []byte, i int) []byte { return appendFloat(b, math.Float64frombits(little.Uint64(d[8*i:])), 64) }, nil
	case tensorflow.Float16, tensorflow.BFloat16:
		return func(b []byte, i int) []byte {
			return appendFloat(b, float64(longFloat(little.Uint16(d[2*i:]), t.Type)), 32)
		}, nil
	case tensorflow.Bool:
		return func(b []byte, i int) []byte { return strconv.AppendBool(b, d[i] != 0) }, nil
	}
	if !slices.Contains(whole, t.Type) {
		return nil, &inference.Error{Reason: inference.BadRequest, Err: unknownType(t.Name, t.Type)}
	}
	size, signed := t.Type.Size(), isSigned(t.Type)
	return func(b []byte, i int) []byte {
		var wide [8]byte
		copy(wide[:], d[size*i:size*(i+1)])
		v := little.Uint64(wide[:])
		if !signed {
			return strconv.AppendUint(b, v, 10)
		}
		shift := 64 - 8*size
		return strconv.AppendInt(b, int64(v<<shift)>>shift, 10)
	}, nil
}

// appendFloat writes a number as TensorFlow Serving does: never in the form of
// an integer, and NaN and infinities by their names.
func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, bits)
	if !slices.ContainsFunc(b[start:], func(c byte) bool { return c == '.' || c == 'e' }) {
		b = append(b, ".0"...)
	}
	return b
}

func appendString(b, s []byte, encode bool) []byte {
	if encode || !utf8.Valid(s) {
		b = append(b, `{"b64":"`...)
		b = base64.StdEncoding.AppendEncode(b, s)
		return append(b, `"}`...)
	}
	return appendText(b, string(s))
}

// appendText writes a string that is UTF-8.
func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // encoding a string cannot fail
	}
	return append(b, text...)
}

// appendNested writes the elements from index at on as nested lists of a shape.
func appendNested(b []byte, shape []int64, at int, write elementWriter) []byte {
	if len(shape) == 0 {
		return write(b, at)
	}
	b = append(b, '[')
	stride := 1
	for _, d := range shape[1:] {
		stride *= int(d)
	}
	for i := range int(shape[0]) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNested(b, shape[1:], at+i*stride, write)
	}
	return append(b, ']')
}
