package savedmodel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/needs"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

var floatType = typeAttribute(tensorflow.Float32)

// A hostile model is built node by node. Its input is "x", its output the last
// node.
type hostile struct {
	nodes     []*nodepb.NodeDef
	functions []*functionpb.FunctionDef
}

func newHostile() *hostile {
	h := &hostile{}
	h.add("x", "Placeholder", attributes{"dtype": floatType})
	return h
}

func (h *hostile) add(name, op string, a attributes, in ...string) string {
	h.nodes = append(h.nodes, &nodepb.NodeDef{Name: name, Op: op, Input: in, Attr: a})
	return name
}

// relu adds a node that cannot be removed.
func (h *hostile) relu(in ...string) string {
	return h.add(fmt.Sprintf("n%d", len(h.nodes)), "Relu", attributes{"T": floatType}, in...)
}

func (h *hostile) call(f, in string) string {
	return h.add(fmt.Sprintf("n%d", len(h.nodes)), "PartitionedCall", calling(f), in)
}

func calling(f string) attributes {
	list := &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: []typespb.DataType{1}}}}
	return attributes{"f": {Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: f}}}, "Tin": list, "Tout": list}
}

// function adds a function of one tensor, "x", that returns its last node.
func (h *hostile) function(name string, body ...*nodepb.NodeDef) *functionpb.FunctionDef {
	ret := "x"
	if len(body) > 0 {
		ret = body[len(body)-1].GetName() + ":output:0"
	}
	f := &functionpb.FunctionDef{
		Signature: &oppb.OpDef{Name: name, InputArg: []*oppb.OpDef_ArgDef{{Name: "x", Type: 1}}, OutputArg: []*oppb.OpDef_ArgDef{{Name: "y", Type: 1}}},
		NodeDef:   body, Ret: map[string]string{"y": ret},
	}
	h.functions = append(h.functions, f)
	return f
}

func (h *hostile) read(b *budget) error {
	ops, err := registry()
	if err != nil {
		return err
	}
	meta := &metapb.MetaGraphDef{GraphDef: &graphpb.GraphDef{Node: h.nodes, Library: &functionpb.FunctionDefLibrary{Function: h.functions}}}
	info := func(name string) map[string]*metapb.TensorInfo {
		return map[string]*metapb.TensorInfo{name: {Encoding: &metapb.TensorInfo_Name{Name: name + ":0"}, Dtype: 1}}
	}
	signature := &metapb.SignatureDef{Inputs: info("x"), Outputs: info(h.nodes[len(h.nodes)-1].GetName())}
	_, err = plain(b, meta, signature, ops, nil)
	return err
}

// TestLinear reads models that would take quadratic or exponential time if
// anything were computed twice.
func TestLinear(t *testing.T) {
	needs.Minutes(t)
	const n = 20000
	truth := network.ConstNode("c0", tensorflow.Bool, []int64{}, []byte{1})
	for name, build := range map[string]func(h *hostile){
		"a long chain": func(h *hostile) {
			last := "x"
			for range n {
				last = h.relu(last)
			}
		},
		"a chain of functions that return what they are given": func(h *hostile) {
			h.function("same")
			last := "x"
			var all []string
			for range n {
				last = h.call("same", last)
				all = append(all, last)
			}
			h.add("y", "AddN", attributes{"T": floatType, "N": {Value: &attrpb.AttrValue_I{I: n}}}, all...)
		},
		"a chain of identities inside a function": func(h *hostile) {
			body := []*nodepb.NodeDef{}
			last, all := "x", []string{}
			for i := range n {
				id := &nodepb.NodeDef{Name: fmt.Sprintf("i%d", i), Op: "Identity", Input: []string{last}, Attr: attributes{"T": floatType}}
				last = id.GetName() + ":output:0"
				body, all = append(body, id), append(all, last)
			}
			f := h.function("f", append(body, &nodepb.NodeDef{Name: "sum", Op: "AddN", Input: all,
				Attr: attributes{"T": floatType, "N": {Value: &attrpb.AttrValue_I{I: n}}}})...)
			f.Ret["y"] = "sum:sum:0"
			h.call("f", "x")
		},
		"a condition of conditions": func(h *hostile) {
			h.nodes = append(h.nodes, truth)
			for i := 1; i <= 60; i++ {
				before := fmt.Sprintf("c%d", i-1)
				h.add(fmt.Sprintf("c%d", i), "LogicalAnd", attributes{}, before, before)
			}
			h.function("same")
			a := calling("same")
			a["then_branch"], a["else_branch"] = a["f"], a["f"]
			h.relu(h.add("if", "StatelessIf", a, "c60", "x"))
		},
		"switches on one condition that is not settled": func(h *hostile) {
			h.add("c0", "IsFinite", attributes{"T": floatType}, "x")
			for i := 1; i <= 200; i++ {
				h.add(fmt.Sprintf("c%d", i), "LogicalNot", attributes{}, fmt.Sprintf("c%d", i-1))
			}
			last := "x"
			for i := range 2000 {
				last = h.add(fmt.Sprintf("s%d", i), "Switch", attributes{"T": floatType}, last, "c200")
			}
			h.relu(last)
		},
		"nodes of one name in every function": func(h *hostile) {
			h.function("f", &nodepb.NodeDef{Name: "y", Op: "Identity", Input: []string{"x"}, Attr: attributes{"T": floatType}})
			last := "x"
			for i := range n {
				last = h.add(fmt.Sprintf("PartitionedCall_%d", i), "PartitionedCall", calling("f"), last)
			}
			h.relu(last)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile()
			build(h)
			b := newBudget(t.Context())
			if err := h.read(b); err != nil {
				t.Fatal(err)
			}
			edges := 0
			for _, node := range h.nodes {
				edges += 1 + len(node.GetInput())
			}
			for _, f := range h.functions {
				for _, node := range f.GetNodeDef() {
					edges += 1 + len(node.GetInput())
				}
			}
			if steps := maxSteps - b.steps; steps > 40*edges+maxConstantSteps*2000 {
				t.Errorf("%d steps for %d nodes and edges", steps, edges)
			}
		})
	}
}

// TestBounded reads small models that expand to large ones or never end.
func TestBounded(t *testing.T) {
	for name, c := range map[string]struct {
		build func(h *hostile)
		says  string
	}{
		"more nodes than are read": {func(h *hostile) {
			node := &nodepb.NodeDef{Name: "same", Op: "NoOp"}
			for range maxNodes {
				h.nodes = append(h.nodes, node)
			}
		}, "more than the allowed 524288"},
		"functions that call each other ten times": {func(h *hostile) {
			h.function("f0")
			for i := 1; i <= 12; i++ {
				var body []*nodepb.NodeDef
				last := "x"
				for k := range 10 {
					body = append(body, &nodepb.NodeDef{Name: fmt.Sprintf("k%d", k), Op: "PartitionedCall", Input: []string{last}, Attr: calling(fmt.Sprintf("f%d", i-1))})
					last = fmt.Sprintf("k%d:output:0", k)
				}
				h.function(fmt.Sprintf("f%d", i), body...)
			}
			h.call("f12", "x")
		}, "nodes, inputs and outputs"},
		"a function that calls itself": {func(h *hostile) {
			h.function("f", &nodepb.NodeDef{Name: "i", Op: "PartitionedCall", Input: []string{"x"}, Attr: calling("f")})
			h.call("f", "x")
		}, "more than 200 deep"},
		"a call of its own result": {func(h *hostile) {
			h.function("same")
			h.add("loop", "PartitionedCall", calling("same"), "loop")
		}, "depends on itself"},
		"outputs without end": {func(h *hostile) {
			var body []*nodepb.NodeDef
			for i := range 200 {
				body = append(body, &nodepb.NodeDef{Name: fmt.Sprintf("s%d", i), Op: "Split", Input: []string{"x", "x"},
					Attr: attributes{"T": floatType, "num_split": {Value: &attrpb.AttrValue_I{I: maxArguments}}}})
			}
			h.function("f", append(body, &nodepb.NodeDef{Name: "i", Op: "Identity", Input: []string{"x"}, Attr: attributes{"T": floatType}})...)
			h.call("f", "x")
		}, "nodes, inputs and outputs"},
		"control inputs that stand for thousands": {func(h *hostile) {
			const n = 1500
			var body []*nodepb.NodeDef
			for i := range n {
				body = append(body, &nodepb.NodeDef{Name: fmt.Sprintf("a%d", i), Op: "NoOp"})
			}
			f := h.function("f", append(body, &nodepb.NodeDef{Name: "i", Op: "Identity", Input: []string{"x"}, Attr: attributes{"T": floatType}})...)
			f.ControlRet = map[string]string{}
			for i := range n {
				f.ControlRet[fmt.Sprint(i)] = fmt.Sprintf("a%d", i)
			}
			last := h.call("f", "x")
			call := last
			for range n {
				last = h.relu(last, "^"+call)
			}
		}, "steps"},
		"a long name": {func(h *hostile) {
			h.add(strings.Repeat("n", network.MaxName+1), "Identity", attributes{"T": floatType}, "x")
		}, "a name of 4097 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile()
			c.build(h)
			b := &budget{ctx: t.Context(), steps: 1 << 20, parts: 1 << 17}
			if err := h.read(b); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want an error that says %q", err, c.says)
			}
		})
	}
}

// TestReadingEnds cancels a read in progress.
func TestReadingEnds(t *testing.T) {
	h := newHostile()
	last := "x"
	for range 10000 {
		last = h.relu(last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.read(newBudget(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it said %v", err)
	}
}
