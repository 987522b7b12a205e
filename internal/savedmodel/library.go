package savedmodel

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"tkit/internal/network"
)

// lowering is the attribute that makes TensorFlow run a conditional or a loop
// as part of the surrounding graph.
const lowering = "_lower_using_switch_merge"

// library contains the functions called by conditionals and loops. TensorFlow
// gets only checked functions, reduced to the nodes on which their results
// depend.
type library struct {
	*budget
	ops     operations
	saved   map[string]*oppb.OpDef // the operations as defined by the TensorFlow that saved the model
	checked map[string]*function
}

// function is a checked function.
type function struct {
	def      *functionpb.FunctionDef
	calls    []string
	expanded int  // number of nodes, including those of called functions
	asserts  bool // it, or a called function, may fail by an assertion
	open     bool // it is being checked
	err      error
}

func newLibrary(b *budget, ops operations, meta *metapb.MetaGraphDef) *library {
	l := &library{budget: b, ops: ops, saved: map[string]*oppb.OpDef{}, checked: map[string]*function{}}
	for _, op := range meta.GetMetaInfoDef().GetStrippedOpList().GetOp() {
		l.saved[op.GetName()] = op
	}
	return l
}

// calls returns the functions that a node refers to.
func (l *library) calls(n *nodepb.NodeDef) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(n.GetAttr())) {
		v := n.GetAttr()[name]
		if f := v.GetFunc(); f != nil {
			names = append(names, f.GetName())
		}
		for _, f := range v.GetList().GetFunc() {
			names = append(names, f.GetName())
		}
	}
	if l.ops.known[n.GetOp()] == nil && l.ops.functions[n.GetOp()] != nil {
		names = append(names, n.GetOp())
	}
	return names
}

// clean rejects an operation that cannot be served, and removes attributes
// about where the node was placed when saved.
func (l *library) clean(n *nodepb.NodeDef) error {
	op, err := l.ops.find(n)
	if err != nil {
		return err
	}
	if l.ops.known[n.GetOp()] != nil {
		if err := network.CheckServed(n); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	lowered := n.GetAttr()[lowering]
	if err := stripAttributes(n, op, l.saved[n.GetOp()]); err != nil {
		return err
	}
	if lowered != nil && len(l.calls(n)) > 0 {
		n.Attr[lowering] = lowered
	}
	return nil
}

// asserts reports whether a node may fail by an assertion.
func (l *library) asserts(n *nodepb.NodeDef) bool {
	if n.GetOp() == "Assert" {
		return true
	}
	calls := l.calls(n)
	if l.check(calls) != nil {
		return false
	}
	return slices.ContainsFunc(calls, func(name string) bool { return l.checked[name].asserts })
}

// check returns why functions, or those that they call, cannot be served.
func (l *library) check(names []string) error {
	for _, name := range names {
		if err := l.function(name, 0).err; err != nil {
			return err
		}
	}
	return nil
}

// function returns a function after checking it.
func (l *library) function(name string, depth int) *function {
	if f := l.checked[name]; f != nil {
		if f.open {
			return &function{err: fmt.Errorf("%w: function %q calls itself", ErrUnsupported, name)}
		}
		return f
	}
	f := &function{open: true}
	l.checked[name] = f
	if f.err = l.fill(f, name, depth); f.err != nil {
		f.err = fmt.Errorf("function %q: %w", name, f.err)
	}
	f.open = false
	return f
}

func (l *library) fill(f *function, name string, depth int) error {
	def := l.ops.functions[name]
	if def == nil {
		return errors.New("the model does not have it")
	}
	if depth > maxDepth {
		return fmt.Errorf("functions are nested more than %d deep", maxDepth)
	}
	nodes, err := l.body(def)
	if err != nil {
		return err
	}
	f.expanded = len(nodes)
	for _, n := range nodes {
		if err := l.bodyNode(n); err != nil {
			return err
		}
		f.asserts = f.asserts || n.GetOp() == "Assert"
		for _, called := range l.calls(n) {
			inner := l.function(called, depth+1)
			if inner.err != nil {
				return fmt.Errorf("node %q (%s): %w", n.GetName(), n.GetOp(), inner.err)
			}
			f.calls = append(f.calls, called)
			f.asserts = f.asserts || inner.asserts
			f.expanded = min(f.expanded+inner.expanded, maxParts+1)
		}
	}
	f.def = &functionpb.FunctionDef{
		Signature: proto.CloneOf(def.GetSignature()), NodeDef: nodes, Ret: def.GetRet(), ControlRet: def.GetControlRet(),
	}
	return nil
}

// bodyNode checks and cleans a node of a function. Variables and tables are
// passed as arguments: those created by a function itself would be empty.
func (l *library) bodyNode(n *nodepb.NodeDef) error {
	switch n.GetOp() {
	case "Print", "PrintV2":
		n.Attr = attributes{"T": n.GetAttr()["T"]}
		if n.GetOp() == "PrintV2" {
			n.Op, n.Input, n.Attr = "NoOp", nil, nil
		} else {
			n.Op, n.Input = "Identity", n.GetInput()[:min(1, len(n.GetInput()))]
		}
	case "VarHandleOp", "HashTableV2", "MutableHashTableV2", "Placeholder", "PlaceholderWithDefault":
		return fmt.Errorf("%w: node %q is a %s within a function", ErrUnsupported, n.GetName(), n.GetOp())
	}
	return l.clean(n)
}

// body returns copies of the nodes of a function on which its results depend.
func (l *library) body(def *functionpb.FunctionDef) ([]*nodepb.NodeDef, error) {
	if len(def.GetNodeDef()) > maxNodes {
		return nil, fmt.Errorf("%w: it has %d nodes; the maximum is %d", ErrUnsupported, len(def.GetNodeDef()), maxNodes)
	}
	byName := make(map[string]*nodepb.NodeDef, len(def.GetNodeDef()))
	for _, n := range def.GetNodeDef() {
		if byName[n.GetName()] != nil {
			return nil, fmt.Errorf("two nodes are named %q", n.GetName())
		}
		byName[n.GetName()] = n
	}
	var stack []string
	for _, m := range []map[string]string{def.GetRet(), def.GetControlRet()} {
		stack = append(stack, slices.Collect(maps.Values(m))...)
	}
	needed := map[string]bool{}
	for len(stack) > 0 {
		name := NodeName(stack[len(stack)-1])
		stack = stack[:len(stack)-1]
		n := byName[name]
		if n == nil || needed[name] { // an argument, or seen
			continue
		}
		needed[name] = true
		if err := l.spend(1 + len(n.GetInput())); err != nil {
			return nil, err
		}
		stack = append(stack, n.GetInput()...)
	}
	var nodes []*nodepb.NodeDef
	for _, n := range copies(def.GetNodeDef()) {
		if needed[n.GetName()] {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// of returns the functions called by nodes, directly and indirectly, sorted by
// name.
func (l *library) of(nodes []*nodepb.NodeDef) *functionpb.FunctionDefLibrary {
	var stack []string
	for _, n := range nodes {
		stack = append(stack, l.calls(n)...)
	}
	found := map[string]*functionpb.FunctionDef{}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if found[name] == nil {
			found[name] = l.checked[name].def
			stack = append(stack, l.checked[name].calls...)
		}
	}
	all := &functionpb.FunctionDefLibrary{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all.Function = append(all.Function, found[name])
	}
	return all
}
