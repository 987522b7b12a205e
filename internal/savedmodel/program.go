package savedmodel

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
)

// Program is the computation of a SavedModel: one graph with all signatures,
// and the contents of its variables and tables.
//
// The graph and its functions contain only operations that compute, as listed
// by [network.CheckServed]. Conditionals and loops are preserved. Side effects
// of signatures are left out, except assertions. The graph reads no files:
// tables that are filled from an asset get its lines.
type Program struct {
	Graph      *graphpb.GraphDef
	Signatures map[string]*Signature
	// Refused contains the signatures that cannot be served, and the reasons.
	Refused map[string]error
	// Variables and Tables are run, in this order, before anything else.
	Variables, Tables Initial
}

// Signature is one of a program's functions, with its inputs and outputs sorted by name.
type Signature struct {
	Method          string // such as "tensorflow/serving/predict"
	Inputs, Outputs []network.TensorInfo
	Checks          []string // nodes that fail for invalid inputs
}

// Initial sets the contents of variables or tables: nodes to run, and the
// values to feed.
type Initial struct {
	Targets []string
	Feeds   []Value
}

// Value is the value for a node. Strings are in Text, all other types in Data:
// little-endian and row-major.
type Value struct {
	network.TensorInfo
	Data []byte
	Text [][]byte
}

const (
	trainSignature = "__saved_model_train_op"
	// mainOps are the collections in which TensorFlow 1 stores the node that
	// fills tables.
	mainOp, legacyInitOp = "saved_model_main_op", "legacy_init_op"
)

// ReadProgram reads the SavedModel in dir. The tags are as in [Options].
// Signatures that cannot be served are in Refused; if none can be served, the
// error is that of the first.
func ReadProgram(ctx context.Context, dir string, tags []string) (*Program, error) {
	p, err := readProgram(ctx, dir, tags)
	if err != nil {
		return nil, fmt.Errorf("read SavedModel %s: %w", dir, err)
	}
	return p, nil
}

func readProgram(ctx context.Context, dir string, tags []string) (*Program, error) {
	model, err := load(dir)
	if err != nil {
		return nil, err
	}
	meta, err := chooseMetaGraph(model, tags)
	if err != nil {
		return nil, err
	}
	b, ops, restored, err := begin(ctx, meta)
	if err != nil {
		return nil, err
	}
	r, err := newProgramReader(b, meta, ops)
	if err != nil {
		return nil, err
	}
	p, err := r.program(dir)
	if err != nil {
		return nil, err
	}
	if len(r.variables) > 0 {
		plain := &plainGraph{variables: slices.Collect(maps.Values(r.variables))}
		weights, err := plain.readWeights(ctx, meta, restored, filepath.Join(dir, variablesPrefix))
		if err != nil {
			return nil, err
		}
		r.assign(p, weights)
	}
	return p, nil
}

// programReader converts a meta graph to a program.
type programReader struct {
	*inliner
	meta      *metapb.MetaGraphDef
	library   *library
	entries   []*entry
	variables map[string]*variable // by identity
	needed    map[string]*nodepb.NodeDef
}

func newProgramReader(b *budget, meta *metapb.MetaGraphDef, ops operations) (*programReader, error) {
	x, err := newInliner(b, meta, ops)
	if err != nil {
		return nil, err
	}
	return &programReader{
		inliner: x, meta: meta, library: newLibrary(b, x.ops, meta),
		variables: map[string]*variable{}, needed: map[string]*nodepb.NodeDef{},
	}, nil
}

// program creates the program, except the values of variables.
func (r *programReader) program(dir string) (*Program, error) {
	initial, err := r.initialRoot()
	if err != nil {
		return nil, err
	}
	if err := r.addEntries(); err != nil {
		return nil, err
	}
	filled, err := r.fillings(initial)
	if err != nil {
		return nil, err
	}
	if err := r.flatten(filled); err != nil {
		return nil, err
	}
	for _, e := range r.entries {
		if err := r.need(e); err != nil {
			return nil, err
		}
	}
	r.refuseWriters()
	r.refuseUnfilled(filled)
	p := &Program{Signatures: map[string]*Signature{}, Refused: map[string]error{}}
	for _, e := range r.entries {
		if e.err != nil {
			p.Refused[e.key] = e.err
			continue
		}
		maps.Copy(r.needed, e.needed)
	}
	maps.DeleteFunc(r.variables, func(_ string, v *variable) bool { return r.needed[v.name] == nil })
	if err := r.fillTables(p, filled, dir); err != nil {
		return nil, err
	}
	for _, e := range r.entries {
		if e.err == nil {
			p.Signatures[e.key] = r.signature(e)
		}
	}
	if len(p.Signatures) == 0 {
		return nil, r.noSignature(p)
	}
	return p, r.build(p)
}

// noSignature returns why a program has no signatures.
func (r *programReader) noSignature(p *Program) error {
	for _, key := range slices.Sorted(maps.Keys(p.Refused)) {
		return fmt.Errorf("signature %q: %w", key, p.Refused[key])
	}
	_, err := chooseSignature(r.meta, "")
	return err
}

// build assembles the needed nodes and functions.
func (r *programReader) build(p *Program) error {
	names := slices.Sorted(maps.Keys(r.needed))
	nodes := make([]*nodepb.NodeDef, 0, len(names))
	expanded := 0
	for _, name := range names {
		n := r.needed[name]
		inputs, err := r.inputs(n)
		if err != nil {
			return err
		}
		n.Input = nil
		for _, e := range inputs {
			if e.Port == network.Control && r.needed[e.Node] == nil {
				continue
			}
			n.Input = append(n.Input, e.String())
		}
		for _, f := range r.library.calls(n) {
			expanded = min(expanded+r.library.checked[f].expanded, maxParts+1)
		}
		nodes = append(nodes, n)
	}
	if expanded > maxParts {
		return fmt.Errorf("%w: its functions, inlined at all calls, have more than %d nodes", ErrUnsupported, maxParts)
	}
	if err := checkInputs(nodes, r.ops); err != nil {
		return err
	}
	library := r.library.of(nodes)
	constants := slices.Clone(nodes)
	for _, f := range library.GetFunction() {
		constants = append(constants, f.GetNodeDef()...)
	}
	if err := network.CheckServedConstants(constants); err != nil {
		return err
	}
	p.Graph = &graphpb.GraphDef{Node: nodes, Library: library, Versions: r.meta.GetGraphDef().GetVersions()}
	return nil
}

// assign adds the nodes that set the variables.
func (r *programReader) assign(p *Program, weights []*network.Weight) {
	for _, w := range weights {
		value := r.placeholder("assign/"+w.Name+"/value", w.DataType, w.Shape)
		target := &nodepb.NodeDef{Name: r.free("assign/" + w.Name), Op: "AssignVariableOp", Input: []string{w.Name, value},
			Attr: attributes{"dtype": typeAttribute(w.DataType)}}
		r.nodes[target.GetName()] = target
		p.Graph.Node = append(p.Graph.Node, target, r.nodes[value])
		p.Variables.Targets = append(p.Variables.Targets, target.GetName())
		p.Variables.Feeds = append(p.Variables.Feeds, Value{
			TensorInfo: network.TensorInfo{Name: w.Name, Tensor: value + ":0", DataType: w.DataType, Shape: w.Shape}, Data: w.Data,
		})
	}
}

// isPlaceholder reports whether a node is a placeholder.
func isPlaceholder(n *nodepb.NodeDef) bool { return strings.HasPrefix(n.GetOp(), "Placeholder") }
