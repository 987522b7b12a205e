package savedmodel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

type attributes = map[string]*attrpb.AttrValue

// operations finds definitions of operations: TensorFlow's by name, and a
// model's functions, which may be called like operations.
type operations struct {
	known     map[string]*oppb.OpDef
	functions map[string]*functionpb.FunctionDef
}

func registry() (operations, error) {
	known, err := tensorflow.Operations()
	return operations{known: known}, err
}

// with returns the operations together with a model's functions.
func (o operations) with(library *functionpb.FunctionDefLibrary) operations {
	o.functions = make(map[string]*functionpb.FunctionDef, len(library.GetFunction()))
	for _, f := range library.GetFunction() {
		o.functions[f.GetSignature().GetName()] = f
	}
	return o
}

func (o operations) find(n *nodepb.NodeDef) (*oppb.OpDef, error) {
	if op := o.known[n.GetOp()]; op != nil {
		return op, nil
	}
	if f := o.functions[n.GetOp()]; f != nil {
		return f.GetSignature(), nil
	}
	return nil, fmt.Errorf("%w: node %q needs the operation %s, which TensorFlow %s does not have", ErrUnsupported, n.GetName(), n.GetOp(), tensorflow.Version())
}

// attribute returns an attribute of a node, or the operation's default.
func attribute(op *oppb.OpDef, given attributes, name string) *attrpb.AttrValue {
	if v := given[name]; v != nil {
		return v
	}
	for _, a := range op.GetAttr() {
		if a.GetName() == name {
			return a.GetDefaultValue()
		}
	}
	return nil
}

// maxArguments bounds the tensors of one argument in a damaged model.
const maxArguments = 1 << 16

// width returns the number of tensors in an argument: one, or the value of
// number_attr, or the length of type_list_attr.
func width(op *oppb.OpDef, arg *oppb.OpDef_ArgDef, given attributes) (int, error) {
	n := int64(1)
	switch {
	case arg.GetNumberAttr() != "":
		n = attribute(op, given, arg.GetNumberAttr()).GetI()
	case arg.GetTypeListAttr() != "":
		n = int64(len(attribute(op, given, arg.GetTypeListAttr()).GetList().GetType()))
	}
	if n < 0 || n > maxArguments {
		return 0, fmt.Errorf("argument %q has %d tensors", arg.GetName(), n)
	}
	return int(n), nil
}

// substituted returns a body's attributes with placeholders replaced by the
// call's values. Unchanged attributes are shared.
func substituted(body, given attributes) (attributes, error) {
	out := make(attributes, len(body))
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if p := v.GetPlaceholder(); p != "" {
			if v = given[p]; v == nil {
				return nil, fmt.Errorf("attribute %q refers to %q, which the call lacks", name, p)
			}
		} else if v.GetFunc() != nil || len(v.GetList().GetFunc()) > 0 {
			v = proto.CloneOf(v)
			for _, f := range append([]*attrpb.NameAttrList{v.GetFunc()}, v.GetList().GetFunc()...) {
				attr, err := substituted(f.GetAttr(), given)
				if err != nil {
					return nil, err
				}
				if f != nil {
					f.Attr = attr
				}
			}
		}
		out[name] = v
	}
	return out, nil
}

// references maps names of tensors in a function's body ("argument",
// "argument:1", "node:output", "node:output:1") to tensors.
type references map[string][]network.TensorID

func (r references) add(name string, tensors []network.TensorID) {
	r[name] = tensors
	for i, t := range tensors {
		r[name+":"+strconv.Itoa(i)] = []network.TensorID{t}
	}
}

// addUnknown adds a placeholder for the outputs of a node with an unknown
// operation. The node stays in the graph and is refused if anything needs it.
func (r references) addUnknown(node, name string) {
	r[node] = []network.TensorID{network.Output(name, 0)}
}

// find returns the tensors of that name.
func (r references) find(name string) ([]network.TensorID, error) {
	if tensors, ok := r[name]; ok {
		return tensors, nil
	}
	if tensors, ok := r[NodeName(name)]; ok && len(tensors) == 1 {
		return tensors, nil
	}
	return nil, fmt.Errorf("there is no tensor %q in the function", name)
}

// addArguments registers the arguments of a call.
func (r references) addArguments(signature *oppb.OpDef, given attributes, args []network.TensorID) error {
	for _, arg := range signature.GetInputArg() {
		n, err := width(signature, arg, given)
		if err != nil {
			return err
		}
		if n > len(args) {
			return fmt.Errorf("function %q is called with too few arguments", signature.GetName())
		}
		r.add(arg.GetName(), args[:n])
		args = args[n:]
	}
	if len(args) > 0 {
		return fmt.Errorf("function %q is called with %d arguments too many", signature.GetName(), len(args))
	}
	return nil
}

// addOutputs registers the outputs of a node that the body calls inner, and
// returns their number.
func (r references) addOutputs(op *oppb.OpDef, inner string, n *nodepb.NodeDef) (int, error) {
	port := 0
	for _, out := range op.GetOutputArg() {
		count, err := width(op, out, n.GetAttr())
		if err != nil {
			return 0, fmt.Errorf("node %q: %w", inner, err)
		}
		tensors := make([]network.TensorID, count)
		for i := range tensors {
			tensors[i] = network.Output(n.GetName(), port+i)
		}
		r.add(inner+":"+out.GetName(), tensors)
		port += count
	}
	return port, nil
}
