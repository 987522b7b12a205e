package rest

import (
	"tkit/inference"
	"tkit/internal/tensorflow"
)

// A tensorScanner collects the elements of nested lists. The first list seen at
// each level sets that dimension; every other one must agree.
type tensorScanner struct {
	*scanner
	held    *holder
	info    inference.TensorInfo
	rank    int     // level of the elements; -1 until one is seen
	shape   []int64 // -1 while its first list is open
	data    []byte
	strings [][]byte
}

// value reads an element or a list at a level of nesting.
func (t *tensorScanner) value(level int) error {
	if t.peek() == '[' {
		return t.nested(level)
	}
	if err := t.at(level); err != nil {
		return err
	}
	return t.element()
}

// at checks that elements are at a level.
func (t *tensorScanner) at(level int) error {
	if t.rank < 0 {
		t.rank = level
	}
	if t.rank != level {
		return t.errorf("a value of input %q is at nesting level %d; others are at level %d", t.info.Name, level, t.rank)
	}
	return nil
}

func (t *tensorScanner) nested(level int) error {
	if t.rank >= 0 && level >= t.rank || level >= maxDepth {
		return t.errorf("a list at nesting level %d of input %q is too deep", level, t.info.Name)
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
		return t.errorf("a list at nesting level %d of input %q has %d elements; others have %d", level, t.info.Name, n, t.shape[level])
	}
	return nil
}

// element reads one element of the input's type.
func (t *tensorScanner) element() error {
	if t.info.DataType == tensorflow.String {
		return t.text()
	}
	if c := t.peek(); c == '{' || c == '"' {
		return t.errorf("input %q is %v: expected a value of that type or a list", t.info.Name, t.info.DataType)
	}
	data, err := appendElement(t.data, t.scanner, t.info.DataType)
	if err != nil {
		return err
	}
	n := len(data) - len(t.data)
	t.data = data
	return t.held.add(n)
}

// text reads a string, or an object {"b64": TEXT}.
func (t *tensorScanner) text() error {
	if t.peek() != '{' {
		s, err := t.string()
		if err != nil {
			return err
		}
		return t.add([]byte(s))
	}
	found := false
	err := t.members(func(member string) error {
		if member != base64Member || found {
			return t.errorf("a string of input %q is text or {\"b64\": TEXT}; there is a member %.100q", t.info.Name, member)
		}
		found = true
		return t.bytes()
	})
	if err == nil && !found {
		err = t.errorf("a string of input %q is text or {\"b64\": TEXT}; the object is empty", t.info.Name)
	}
	return err
}

// encoded reads the value of a "b64" member as an element at a level.
func (t *tensorScanner) encoded(level int) error {
	if t.info.DataType != tensorflow.String {
		return t.errorf("input %q is %v, not bytes: for encoded images use :classify-image", t.info.Name, t.info.DataType)
	}
	if err := t.at(level); err != nil {
		return err
	}
	return t.bytes()
}

// bytes reads a text in base64.
func (t *tensorScanner) bytes() error {
	s, err := t.string()
	if err != nil {
		return err
	}
	data, err := decodeBase64(s)
	if err != nil {
		return t.errorf("input %q: %v", t.info.Name, err)
	}
	return t.add(data)
}

// stringHeader is the memory of a string besides its bytes.
const stringHeader = 24

func (t *tensorScanner) add(s []byte) error {
	t.strings = append(t.strings, s)
	return t.held.add(len(s) + stringHeader)
}
