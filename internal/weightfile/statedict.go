package weightfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tkit/internal/tensorflow"
)

// storageTypes are the classes of storages that hold what TensorFlow has.
var storageTypes = map[string]tensorflow.DataType{
	"FloatStorage": tensorflow.Float32, "DoubleStorage": tensorflow.Float64, "HalfStorage": tensorflow.Float16,
	"BFloat16Storage": tensorflow.BFloat16, "LongStorage": tensorflow.Int64, "IntStorage": tensorflow.Int32,
	"ShortStorage": tensorflow.Int16, "CharStorage": tensorflow.Int8, "ByteStorage": tensorflow.Uint8, "BoolStorage": tensorflow.Bool,
}

// known says whether a state dictionary needs the name.
func (g global) known() bool {
	switch g.module {
	case "collections":
		return g.name == "OrderedDict"
	case "torch._utils":
		return g.name == "_rebuild_tensor_v2" || g.name == "_rebuild_parameter"
	case "torch":
		return storageTypes[g.name] != 0
	}
	return false
}

// A storage is a row of elements that tensors view.
type storage struct {
	dataType tensorflow.DataType
	elements int64
	data     *pending
}

// reduce does what the calls in a state dictionary do.
func reduce(callable, arguments any) (any, error) {
	g, ok := callable.(global)
	a, isTuple := arguments.(tuple)
	if !ok || !isTuple {
		return nil, fmt.Errorf("a call of %T", callable)
	}
	switch g.name {
	case "OrderedDict":
		if len(a) != 0 {
			return nil, errors.New("an OrderedDict made of items")
		}
		return &dict{}, nil
	case "_rebuild_tensor_v2":
		return rebuild(a)
	case "_rebuild_parameter":
		if len(a) == 3 {
			if t, ok := a[0].(*Tensor); ok {
				return t, nil
			}
		}
		return nil, errors.New("a parameter of no tensor")
	}
	return nil, fmt.Errorf("%s cannot be called", g.name)
}

// rebuild makes a tensor of its storage, the offset in it, its shape and strides;
// whether it had a gradient and hooks does not matter.
func rebuild(a tuple) (*Tensor, error) {
	if len(a) < 4 {
		return nil, fmt.Errorf("a tensor of %d values", len(a))
	}
	s, isStorage := a[0].(storage)
	first, isOffset := a[1].(int64)
	shape, errShape := integers(a[2])
	strides, errStrides := integers(a[3])
	if !isStorage || !isOffset {
		return nil, errors.New("a tensor without a storage")
	}
	if err := errors.Join(errShape, errStrides); err != nil {
		return nil, err
	}
	t := &Tensor{Type: s.dataType, Shape: shape, strides: strides, first: first, data: s.data}
	return t, t.check(s.elements)
}

func integers(v any) ([]int64, error) {
	values, ok := v.(tuple)
	if !ok {
		return nil, errors.New("a tensor without a shape")
	}
	all := make([]int64, len(values))
	for i, v := range values {
		if all[i], ok = v.(int64); !ok {
			return nil, errors.New("a shape that is no integer")
		}
	}
	return all, nil
}

// wrappers are the keys under which checkpoints keep the state dictionary.
var wrappers = []string{"state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema"}

// stateDict finds the tensors in what a pickle holds: a state dictionary, or a
// checkpoint that has one among its members.
func stateDict(v any) (map[string]*Tensor, error) {
	members, err := membersOf(v)
	if err != nil {
		return nil, err
	}
	var inner []string
	for _, name := range wrappers {
		if _, ok := members[name].(*dict); ok {
			inner = append(inner, name)
		}
	}
	if len(inner) > 1 {
		return nil, fmt.Errorf("it holds several state dictionaries (%s): save one of them by itself", strings.Join(inner, ", "))
	}
	if len(inner) == 1 {
		if members, err = membersOf(members[inner[0]]); err != nil {
			return nil, err
		}
	}
	tensors := make(map[string]*Tensor, len(members))
	for name, value := range members {
		t, ok := value.(*Tensor)
		if !ok {
			return nil, fmt.Errorf("its member %.100q is no tensor; it has %s", name, some(slices.Sorted(maps.Keys(members))))
		}
		if tensors[name] = t; len(tensors) > most {
			return nil, fmt.Errorf("more than %d tensors", most)
		}
	}
	return tensors, nil
}

// membersOf returns the items of a dictionary whose keys are strings.
func membersOf(v any) (map[string]any, error) {
	d, ok := v.(*dict)
	if !ok {
		return nil, errors.New("it holds no state dictionary: write torch.save(model.state_dict(), FILE)")
	}
	members := map[string]any{}
	for i, key := range d.keys {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a key of the state dictionary is a %T", key)
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("the key %.100q appears twice", name)
		}
		members[name] = d.values[i]
	}
	return members, nil
}

// some lists the first few names.
func some(names []string) string {
	const few = 8
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
