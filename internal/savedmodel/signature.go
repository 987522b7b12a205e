package savedmodel

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
)

// maxTried bounds how many outputs are tried one by one.
const maxTried = 64

// takesArrays refuses a signature with a string input, such as encoded images
// or TensorFlow's examples: decoding is not part of a network.
func takesArrays(meta *metapb.MetaGraphDef, signature *metapb.SignatureDef) error {
	for _, key := range slices.Sorted(maps.Keys(signature.GetInputs())) {
		if signature.GetInputs()[key].GetDtype() != typespb.DataType_DT_STRING {
			continue
		}
		remedy := "export the model with a signature that takes decoded images, float32 [N, height, width, channels]"
		if others := imageSignatures(meta); len(others) > 0 {
			remedy = fmt.Sprintf("choose another signature, such as %q", others[0])
		}
		return fmt.Errorf("%w: input %q takes strings, such as encoded images or records; %s", ErrUnsupported, key, remedy)
	}
	return nil
}

// imageSignatures returns the keys of the signatures with an input that may be
// a batch of images.
func imageSignatures(meta *metapb.MetaGraphDef) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(meta.GetSignatureDef())) {
		for _, in := range meta.GetSignatureDef()[key].GetInputs() {
			if in.GetDtype() != typespb.DataType_DT_STRING && len(in.GetTensorShape().GetDim()) == 4 {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys
}

// answers extracts the signature's graph with the outputs that a plain network
// can compute. Outputs that are strings, or that need a table or the like, are
// omitted with a note, unless none is left.
func answers(b *budget, meta *metapb.MetaGraphDef, signature *metapb.SignatureDef, ops operations, restored map[string]place) (*plainGraph, error) {
	keys := slices.Sorted(maps.Keys(signature.GetOutputs()))
	var kept, text []string
	for _, key := range keys {
		if signature.GetOutputs()[key].GetDtype() == typespb.DataType_DT_STRING {
			text = append(text, key)
		} else {
			kept = append(kept, key)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%w: its outputs %q are text; export it with its scores or features as an output", ErrUnsupported, text)
	}
	p, err := plain(b, meta, only(signature, kept), ops, restored)
	var notes []string
	if err != nil && errors.Is(err, ErrUnsupported) && len(kept) > 1 && len(kept) <= maxTried {
		var able []string
		for _, key := range kept {
			if _, failed := plain(b, meta, only(signature, []string{key}), ops, restored); failed == nil {
				able = append(able, key)
			} else {
				notes = append(notes, fmt.Sprintf("the output %q is omitted: %v", key, failed))
			}
		}
		if len(able) > 0 {
			p, err = plain(b, meta, only(signature, able), ops, restored)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("the outputs %s are omitted: they are text", strings.Join(quoted(text), ", ")))
	}
	p.notes = append(p.notes, notes...)
	return p, nil
}

// only returns the signature with only the given outputs.
func only(signature *metapb.SignatureDef, outputs []string) *metapb.SignatureDef {
	part := &metapb.SignatureDef{Inputs: signature.GetInputs(), Outputs: map[string]*metapb.TensorInfo{}}
	for _, key := range outputs {
		part.Outputs[key] = signature.GetOutputs()[key]
	}
	return part
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}
