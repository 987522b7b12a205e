package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tkit/inference"
)

// predict answers TensorFlow Serving's :predict: tensors in, tensors out.
func (h *handler) predict(w http.ResponseWriter, r *http.Request, q *question) ([]byte, error) {
	if err := knownQuery(r); err != nil {
		return nil, err
	}
	if err := h.exists(r.Context(), q); err != nil {
		return nil, err
	}
	body, err := readBody(w, r, h.Limits.MaxBody)
	if err != nil {
		return nil, err
	}
	m := mediaOf(r)
	if isImage(body) || strings.HasPrefix(m.kind, "multipart/") {
		return nil, unsupported("the body is no JSON: :predict takes tensors; for images there is :classify-image")
	}
	if body, err = jsonText(body, m); err != nil {
		return nil, err
	}
	s, err := h.acquire(r.Context(), q)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	input := s.Signatures()[inference.DefaultSignature].Inputs[0].Name
	request, err := parsePredict(body, input)
	if err != nil {
		return nil, &inference.Error{Reason: inference.BadRequest, Err: err}
	}
	outputs, _, err := s.Run(r.Context(), request.signature,
		[]inference.Tensor{inference.Float32Tensor(input, request.input.shape, request.input.data)}, nil)
	if err != nil {
		return nil, err
	}
	return append(appendOutputs(nil, request.row, outputs), '\n'), nil
}

// appendOutputs writes the outputs by TensorFlow Serving's rules: a request by
// rows is answered by rows, and a single output goes without its name.
func appendOutputs(b []byte, row bool, outputs []inference.Tensor) []byte {
	object := func(b []byte, each func(b []byte, o inference.Tensor) []byte) []byte {
		if len(outputs) == 1 {
			return each(b, outputs[0])
		}
		b = append(b, '{')
		for i, o := range outputs {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, "%q:", o.Name)
			b = each(b, o)
		}
		return append(b, '}')
	}
	if !row {
		b = append(b, `{"outputs":`...)
		b = object(b, func(b []byte, o inference.Tensor) []byte { return appendArray(b, o.Shape, o.Float32()) })
		return append(b, '}')
	}
	b = append(b, `{"predictions":[`...)
	for i := range int(outputs[0].Shape[0]) {
		if i > 0 {
			b = append(b, ',')
		}
		b = object(b, func(b []byte, o inference.Tensor) []byte {
			values := o.Float32()
			stride := len(values) / int(o.Shape[0])
			return appendArray(b, slices.Clone(o.Shape[1:]), values[i*stride:(i+1)*stride])
		})
	}
	return append(b, "]}"...)
}
