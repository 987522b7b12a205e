package rest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tkit/inference"
	"tkit/internal/tensorflow"
)

// A predictRequest is the body of TensorFlow Serving's :predict.
type predictRequest struct {
	signature string
	row       bool // "instances", answered by "predictions"; else "inputs", by "outputs"
	inputs    []inference.Tensor
}

// parsePredict reads the body of a :predict:
//
//	{"signature_name": S, "instances": [V, ...]}    or  [{NAME: V, ...}, ...]
//	{"signature_name": S, "inputs": V}              or  {NAME: V, ...}
//
// An input of a signature that has no other may be given by itself. A string is
// given as text, or in base64 as {"b64": TEXT}. Members that are not known are
// passed over, as TensorFlow Serving does. The signature is that of find; hold is
// told how many bytes the tensors take.
func parsePredict(body []byte, find func(name string) (string, inference.Signature, error), hold func(int64) error) (predictRequest, error) {
	r := predictRequest{}
	name, err := signatureName(body)
	if err != nil {
		return r, badJSON(err)
	}
	var signature inference.Signature
	if r.signature, signature, err = find(name); err != nil {
		return r, err
	}
	s := &scanner{text: body}
	p := predictScanner{scanner: s, held: holder{hold: hold}}
	for _, info := range signature.Inputs {
		p.inputs = append(p.inputs, &tensorScanner{scanner: s, held: &p.held, info: info, rank: -1})
	}
	found := ""
	err = s.members(func(member string) error {
		switch member {
		case "instances", "inputs":
			if found != "" {
				return s.errorf("%q after %q: give one of them, once", member, found)
			}
			found = member
			if r.row = member == "instances"; r.row {
				return p.instances()
			}
			return p.columns()
		}
		return s.skip(0)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && found == "" {
		err = errors.New("the request has neither \"instances\" nor \"inputs\"")
	}
	if err != nil {
		return r, badJSON(err)
	}
	for _, t := range p.inputs {
		r.inputs = append(r.inputs, inference.Tensor{Name: t.info.Name, Type: t.info.Type, Shape: t.shape, Data: t.data, Strings: t.strings})
	}
	return r, nil
}

// badJSON gives an error about a body its reason, unless it has one.
func badJSON(err error) error {
	if errors.As(err, new(*inference.Error)) {
		return err
	}
	return &inference.Error{Reason: inference.BadRequest, Err: err}
}

// signatureName returns the member "signature_name" of a body, "" where it has
// none. The tensors, which may stand before it, are not read a second time where
// the name cannot be in the text.
func signatureName(body []byte) (name string, err error) {
	s := &scanner{text: body}
	if s.peek() != '{' {
		return "", s.errorf("expected an object with \"instances\" or \"inputs\"")
	}
	const member = "signature_name"
	if !bytes.Contains(body, []byte(member)) && !bytes.Contains(body, []byte(`\u`)) {
		return "", nil
	}
	given := false
	err = s.members(func(m string) (err error) {
		if m != member {
			return s.skip(0)
		}
		if given {
			return s.errorf("%q is given twice", m)
		}
		given = true
		name, err = s.string()
		return err
	})
	return name, err
}

// A holder counts the memory that tensors take, in large steps.
type holder struct {
	hold          func(int64) error
	counted, held int64
}

const holdStep = 1 << 16

func (h *holder) add(n int) error {
	if h.counted += int64(n); h.counted <= h.held {
		return nil
	}
	step := h.counted - h.held + holdStep
	h.held += step
	return h.hold(step)
}

// A predictScanner reads the inputs of a signature.
type predictScanner struct {
	*scanner
	held   holder
	inputs []*tensorScanner
}

// instances takes a list with an element for each row.
func (p *predictScanner) instances() error {
	if p.peek() != '[' {
		return p.errorf("\"instances\" must be a list")
	}
	for _, t := range p.inputs {
		t.shape = []int64{-1}
	}
	n := int64(0)
	err := p.elements(func(int) error {
		n++
		return p.inputsAt(1)
	})
	if err == nil && n == 0 {
		err = p.errorf("\"instances\" is empty")
	}
	for _, t := range p.inputs {
		t.shape[0] = n
	}
	return err
}

// columns takes whole tensors.
func (p *predictScanner) columns() error {
	for _, t := range p.inputs {
		t.shape = []int64{}
	}
	return p.inputsAt(0)
}

// inputsAt takes one value for each input at a level of nesting: an object of them,
// or the only one by itself.
func (p *predictScanner) inputsAt(level int) error {
	if p.peek() == '{' {
		return p.named(level)
	}
	if len(p.inputs) != 1 {
		return p.errorf("expected an object with the inputs %q", p.names())
	}
	return p.inputs[0].value(level)
}

// named takes an object of inputs. {"b64": TEXT} may be a string that is the only
// input.
func (p *predictScanner) named(level int) error {
	given := make([]bool, len(p.inputs))
	bare := false
	err := p.members(func(member string) error {
		i := slices.IndexFunc(p.inputs, func(t *tensorScanner) bool { return t.info.Name == member })
		switch {
		case bare:
			return p.errorf("%.100q beside \"b64\"", member)
		case i < 0 && member == base64Member && len(p.inputs) == 1:
			bare, given[0] = true, true
			return p.inputs[0].encoded(level)
		case i < 0:
			return p.errorf("the signature has no input %.100q; it has %q", member, p.names())
		case given[i]:
			return p.errorf("input %q is given twice", member)
		}
		given[i] = true
		return p.inputs[i].value(level)
	})
	if i := slices.Index(given, false); err == nil && i >= 0 {
		err = p.errorf("input %q is missing", p.inputs[i].info.Name)
	}
	return err
}

func (p *predictScanner) names() []string {
	var names []string
	for _, t := range p.inputs {
		names = append(names, t.info.Name)
	}
	return names
}

// base64Member is the member of an object that stands for a string of bytes.
const base64Member = "b64"

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

// unknownType is the error of a type that JSON does not carry here.
func unknownType(name string, dt inference.DataType) error {
	return fmt.Errorf("%q is %v, which JSON has no form for: use gRPC", name, dt)
}
