package rest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"tkit/inference"
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
// The only input of a signature may be given without its name. A string is given
// as text, or in base64 as {"b64": TEXT}. Unknown members are ignored, as by
// TensorFlow Serving. find returns the signature; hold counts the bytes of the
// tensors.
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
				return s.errorf("%q after %q: only one of them is allowed, once", member, found)
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
		r.inputs = append(r.inputs, inference.Tensor{Name: t.info.Name, Type: t.info.DataType, Shape: t.shape, Data: t.data, Strings: t.strings})
	}
	return r, nil
}

// badJSON adds the reason BadRequest to an error about a body, unless it has a
// reason.
func badJSON(err error) error {
	if errors.As(err, new(*inference.Error)) {
		return err
	}
	return &inference.Error{Reason: inference.BadRequest, Err: err}
}

// signatureName returns the member "signature_name" of a body, "" if it has
// none. If the name does not occur in the text, the tensors, which may come
// before it, are not scanned twice.
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

// A holder counts the memory of tensors, in large steps.
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

// instances reads a list with an element for each row.
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

// columns reads whole tensors.
func (p *predictScanner) columns() error {
	for _, t := range p.inputs {
		t.shape = []int64{}
	}
	return p.inputsAt(0)
}

// inputsAt reads one value for each input at a level of nesting: an object with all
// inputs, or the value of the only one.
func (p *predictScanner) inputsAt(level int) error {
	if p.peek() == '{' {
		return p.named(level)
	}
	if len(p.inputs) != 1 {
		return p.errorf("expected an object with the inputs %q", p.names())
	}
	return p.inputs[0].value(level)
}

// named reads an object of inputs. {"b64": TEXT} may be a string that is the only
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

// base64Member is the member of an object that represents a string of bytes.
const base64Member = "b64"

// unknownType is the error of a type that is not supported in JSON.
func unknownType(name string, dt inference.DataType) error {
	return fmt.Errorf("%q is %v, which is not supported in JSON: use gRPC", name, dt)
}
