package savedmodel

import (
	"slices"
	"strconv"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	oppb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// A variable is read by the signature. Several nodes may refer to it.
type variable struct {
	shared   string // the key in TensorFlow's resource manager
	object   int32  // in the model's object graph, or noObject
	node     string // the first of its nodes
	name     string // in the plain graph
	dataType tensorflow.DataType
	shape    []int64 // as far as known; nil for an unknown rank
	read     bool
}

// isVariable reports whether a node represents a variable: by a handle since
// TensorFlow 2, before that by a reference to its memory.
func isVariable(n *nodepb.NodeDef) bool {
	return n.GetOp() == "VarHandleOp" || isReference(n)
}

func isReference(n *nodepb.NodeDef) bool {
	return n.GetOp() == "VariableV2" || n.GetOp() == "Variable"
}

// noObject marks a variable that is not in an object graph.
const noObject = -1

// identity identifies variables by their objects, like TensorFlow 2, or by the
// keys of the resource manager.
func (x *inliner) identity(n *nodepb.NodeDef) string {
	if object, ok := x.captured[n.GetName()]; ok {
		return "object " + strconv.Itoa(int(object))
	}
	return variableKey(n)
}

// variableKey identifies variables like TensorFlow's resource manager.
func variableKey(n *nodepb.NodeDef) string {
	name := string(n.GetAttr()["shared_name"].GetS())
	if name == "" {
		name = n.GetName()
	}
	return string(n.GetAttr()["container"].GetS()) + "/" + name
}

// maxHops bounds how far a handle or a value is followed through pass-through
// nodes.
const maxHops = 50

// variableAt returns the variable that a tensor is the handle of, or nil.
func (g *graph) variableAt(e network.TensorID) *nodepb.NodeDef {
	for range maxHops {
		at, err := g.resolve(e)
		if err != nil {
			return nil
		}
		n := g.nodes[at.Node]
		if isVariable(n) {
			return n
		}
		switch n.GetOp() {
		case "Identity", "RefIdentity", "Switch", "RefSwitch", "Enter", "RefEnter":
		default:
			return nil
		}
		if len(n.GetInput()) == 0 {
			return nil
		}
		if e, err = network.ParseTensorID(n.GetInput()[0]); err != nil || e.Port == network.Control {
			return nil
		}
	}
	return nil
}

// changes reports whether an operation writes to the variable that is its
// first input.
func (o operations) changes(n *nodepb.NodeDef) bool {
	switch op := n.GetOp(); {
	case op == "ResourceGather", op == "ResourceGatherNd":
		return false
	case strings.HasPrefix(op, "Resource"), strings.HasPrefix(op, "Assign") && strings.HasSuffix(op, "VariableOp"):
		return true
	case flowOps[op], op == "RefIdentity", op == "IsVariableInitialized":
		return false
	}
	op := o.known[n.GetOp()]
	return slices.ContainsFunc(op.GetInputArg(), func(a *oppb.OpDef_ArgDef) bool { return a.GetIsRef() })
}

// changedVariables returns the variables, by identity and by key, that the
// inlined graph writes to, ignoring the nodes in settled.
func (x *inliner) changedVariables(roots []network.TensorID, settled map[string]bool) (map[string]bool, error) {
	all := slices.Clone(roots)
	for _, name := range x.effects {
		all = append(all, network.Output(name, network.Control))
	}
	nodes, err := x.reached(all)
	if err != nil {
		return nil, err
	}
	changed := map[string]bool{}
	for _, n := range nodes {
		if len(n.GetInput()) == 0 || settled[n.GetName()] || !x.ops.changes(n) {
			continue
		}
		if e, err := network.ParseTensorID(n.GetInput()[0]); err == nil && e.Port != network.Control {
			if v := x.variableAt(e); v != nil {
				changed[variableKey(v)], changed[x.identity(v)] = true, true
			}
		}
	}
	return changed, nil
}
