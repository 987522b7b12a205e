package rest

import (
	"tkit/inference"
	"tkit/internal/tensorflow"
)

// A tensorScanner gathers the elements of nested lists. The first list seen at
// each level sets that dimension; every other one must agree.
type tensorScanner struct {
	*scanner
	held    *holder
	info    inference.TensorInfo
	rank    int     // level of the elements; -1 until one is seen
	shape   []int64 // -1 where a list is open for the first time
	data    []byte
	strings [][]byte
}

// value takes an element or a list at a level of nesting.
func (t *tensorScanner) value(level int) error {
	if t.peek() == '[' {
		return t.nested(level)
	}
	if err := t.at(level); err != nil {
		return err
	}
	return t.element()
}

// at makes sure that elements stand at a level.
func (t *tensorScanner) at(level int) error {
	if t.rank < 0 {
		t.rank = level
	}
	if t.rank != level {
		return t.errorf("a value of input %q at level %d of nesting; others are at level %d", t.info.Name, level, t.rank)
	}
	return nil
}

func (t *tensorScanner) nested(level int) error {
	if t.rank >= 0 && level >= t.rank || level >= maxDepth {
		return t.errorf("a list at level %d of nesting of input %q, too deep", level, t.info.Name)
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
		return t.errorf("a list of %d at level %d of nesting of input %q; others have %d", n, level, t.info.Name, t.shape[level])
	}
	return nil
}

// element takes one element of the input's type.
func (t *tensorScanner) element() error {
	if t.info.Type == tensorflow.String {
		return t.text()
	}
	if c := t.peek(); c == '{' || c == '"' {
		return t.errorf("input %q takes %v: expected a value of that type or a list", t.info.Name, t.info.Type)
	}
	data, err := appendElement(t.data, t.scanner, t.info.Type)
	if err != nil {
		return err
	}
	n := len(data) - len(t.data)
	t.data = data
	return t.held.add(n)
}

// text takes a string, or an object {"b64": TEXT}.
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

// encoded takes the value of a "b64" that stands for an element at a level.
func (t *tensorScanner) encoded(level int) error {
	if t.info.Type != tensorflow.String {
		return t.errorf("input %q takes %v, not bytes: encoded images may be what :classify-image takes", t.info.Name, t.info.Type)
	}
	if err := t.at(level); err != nil {
		return err
	}
	return t.bytes()
}

// bytes takes a text in base64.
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

// stringHeader is what a string takes besides its bytes.
const stringHeader = 24

func (t *tensorScanner) add(s []byte) error {
	t.strings = append(t.strings, s)
	return t.held.add(len(s) + stringHeader)
}
