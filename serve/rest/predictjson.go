package rest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// A predictRequest is the body of TensorFlow Serving's :predict for a model
// with one float32 input.
type predictRequest struct {
	signature string // "" is the default one
	row       bool   // "instances", answered by "predictions"; else "inputs", by "outputs"
	input     array
}

// An array is a dense float32 tensor in row-major order.
type array struct {
	shape []int64
	data  []float32
}

// parsePredict reads the body of a :predict. The model's only input may be
// given by itself or under its name. It reads
//
//	{"signature_name": S, "instances": [V, ...]}    or  [{NAME: V}, ...]
//	{"signature_name": S, "inputs": V}              or  {NAME: V}
//
// and passes over members that it does not know, as TensorFlow Serving does.
func parsePredict(body []byte, name string) (predictRequest, error) {
	var r predictRequest
	found, signed := "", false
	s := &scanner{text: body}
	if s.peek() != '{' {
		return r, s.errorf("expected an object with \"instances\" or \"inputs\"")
	}
	err := s.members(func(member string) (err error) {
		switch member {
		case "signature_name":
			if signed {
				return s.errorf("%q is given twice", member)
			}
			signed = true
			r.signature, err = s.string()
		case "instances", "inputs":
			if found != "" {
				return s.errorf("%q after %q: give one of them, once", member, found)
			}
			found = member
			if r.row = member == "instances"; r.row {
				r.input, err = parseInstances(s, name)
			} else {
				r.input, err = parseInputs(s, name)
			}
		default:
			err = s.skip(0)
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && found == "" {
		err = fmt.Errorf("the request has neither \"instances\" nor \"inputs\"")
	}
	return r, err
}

func parseInstances(s *scanner, name string) (array, error) {
	t := tensorScanner{scanner: s, rank: -1}
	t.shape = []int64{-1}
	if s.peek() != '[' {
		return array{}, s.errorf("\"instances\" must be a list")
	}
	n := int64(0)
	err := s.elements(func(int) error {
		n++
		if s.peek() == '{' {
			return t.named(name, 1)
		}
		return t.value(1)
	})
	if err != nil {
		return array{}, err
	}
	if n == 0 {
		return array{}, s.errorf("\"instances\" is empty")
	}
	t.shape[0] = n
	return array{t.shape, t.data}, nil
}

func parseInputs(s *scanner, name string) (array, error) {
	t := tensorScanner{scanner: s, rank: -1}
	var err error
	if s.peek() == '{' {
		err = t.named(name, 0)
	} else {
		err = t.value(0)
	}
	return array{t.shape, t.data}, err
}

// A tensorScanner gathers the numbers of nested lists. The first list seen at
// each level sets that dimension; every other one must agree.
type tensorScanner struct {
	*scanner
	rank  int     // level of the numbers; -1 until one is seen
	shape []int64 // -1 where a list is open for the first time
	data  []float32
}

// named takes an object whose only member is the input. An object {"b64": S}
// is how TensorFlow Serving writes bytes; a float input takes none.
func (t *tensorScanner) named(name string, level int) error {
	found := false
	err := t.members(func(member string) error {
		switch {
		case member == "b64":
			return t.errorf("the input %q takes numbers, not bytes: for encoded images use :classify-image", name)
		case member != name:
			return t.errorf("the model has no input %.100q; its input is %q", member, name)
		case found:
			return t.errorf("input %q is given twice", name)
		}
		found = true
		return t.value(level)
	})
	if err == nil && !found {
		err = t.errorf("input %q is missing", name)
	}
	return err
}

// value takes a number or a list at a level of nesting.
func (t *tensorScanner) value(level int) error {
	switch c := t.peek(); c {
	case '[':
		return t.nested(level)
	case '{', '"':
		return t.errorf("expected a number or a list")
	}
	v, err := t.float()
	if err != nil {
		return err
	}
	if t.rank < 0 {
		t.rank = level
	}
	if t.rank != level {
		return t.errorf("a number at level %d of nesting; others are at level %d", level, t.rank)
	}
	t.data = append(t.data, v)
	return nil
}

func (t *tensorScanner) nested(level int) error {
	if t.rank >= 0 && level >= t.rank || level >= maxDepth {
		return t.errorf("a list at level %d of nesting, too deep", level)
	}
	if level == len(t.shape) {
		t.shape = append(t.shape, -1)
	}
	n := int64(0)
	err := t.elements(func(int) error {
		n++
		return t.value(level + 1)
	})
	if err != nil {
		return err
	}
	if n == 0 && t.rank < 0 {
		t.rank = level + 1
	}
	if t.shape[level] < 0 {
		t.shape[level] = n
	}
	if t.shape[level] != n {
		return t.errorf("a list of %d at level %d of nesting; others have %d", n, level, t.shape[level])
	}
	return nil
}

// appendArray writes the rows from..to of an array as nested JSON lists, each
// number with the fewest digits that give it back.
func appendArray(b []byte, shape []int64, data []float32) []byte {
	if len(shape) == 0 {
		return appendFloat(b, data[0])
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
		b = appendArray(b, shape[1:], data[i*stride:(i+1)*stride])
	}
	return append(b, ']')
}

// appendFloat writes a number as TensorFlow Serving does: never as a whole
// number, and NaN and infinities by their names.
func appendFloat(b []byte, v float32) []byte {
	switch f := float64(v); {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	if !slices.ContainsFunc(b[start:], func(c byte) bool { return c == '.' || c == 'e' }) {
		b = append(b, ".0"...)
	}
	return b
}
