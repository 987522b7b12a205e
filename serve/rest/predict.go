package rest

import (
	"fmt"
	"net/http"
	"strings"

	"tkit/inference"
)

// predict answers TensorFlow Serving's :predict: tensors in, tensors out.
func (h *handler) predict(w http.ResponseWriter, r *http.Request, q question) ([]byte, error) {
	if err := knownQuery(r); err != nil {
		return nil, err
	}
	s, err := q.find(r.Context()) // before the body is read
	if err != nil {
		return nil, err
	}
	body, err := readBody(w, r, h.Limits.MaxBody)
	if err != nil {
		return nil, err
	}
	m := mediaOf(r)
	if isImage(body) || strings.HasPrefix(m.kind, "multipart/") {
		return nil, unsupported("the body is not JSON: :predict takes tensors; use :classify-image for images")
	}
	if body, err = jsonText(body, m); err != nil {
		return nil, err
	}
	request, err := parsePredict(body, s.Signature, q.Account.Hold)
	if err != nil {
		return nil, err
	}
	outputs, _, err := s.Run(r.Context(), request.signature, request.inputs, nil)
	if err != nil {
		return nil, err
	}
	return appendOutputs(nil, request.row, outputs)
}

// appendOutputs writes the outputs by TensorFlow Serving's rules: the response
// to a request by rows is by rows, and a single output has no name.
func appendOutputs(b []byte, row bool, outputs []inference.Tensor) ([]byte, error) {
	writers := make([]elementWriter, len(outputs))
	for i, o := range outputs {
		var err error
		if writers[i], err = writer(o); err != nil {
			return nil, err
		}
	}
	object := func(b []byte, each func(b []byte, i int) []byte) []byte {
		if len(outputs) == 1 {
			return each(b, 0)
		}
		b = append(b, '{')
		for i, o := range outputs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, o.Name), ':')
			b = each(b, i)
		}
		return append(b, '}')
	}
	if !row {
		b = append(b, `{"outputs":`...)
		b = object(b, func(b []byte, i int) []byte { return appendNested(b, outputs[i].Shape, 0, writers[i]) })
		return append(b, '}'), nil
	}
	rows, err := rowsOf(outputs)
	if err != nil {
		return nil, err
	}
	b = append(b, `{"predictions":[`...)
	for row := range int(rows) {
		if row > 0 {
			b = append(b, ',')
		}
		b = object(b, func(b []byte, i int) []byte {
			shape := outputs[i].Shape[1:]
			stride := 1
			for _, d := range shape {
				stride *= int(d)
			}
			return appendNested(b, shape, row*stride, writers[i])
		})
	}
	return append(b, "]}"...), nil
}

// rowsOf returns the number of rows of the outputs, which must be the same for
// all.
func rowsOf(outputs []inference.Tensor) (int64, error) {
	for _, o := range outputs {
		if len(o.Shape) == 0 || o.Shape[0] != outputs[0].Shape[0] {
			return 0, &inference.Error{Reason: inference.BadRequest, Err: fmt.Errorf(
				"output %q has the shape %v and cannot be returned by rows: use \"inputs\" instead of \"instances\"", o.Name, o.Shape)}
		}
	}
	return outputs[0].Shape[0], nil
}
