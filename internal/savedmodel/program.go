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

// A Program is what a SavedModel computes, as it was saved: one graph with all
// signatures, and what its variables and tables hold.
//
// The graph has nothing but operations that compute, as [network.CheckServed]
// lists them, in its functions too. Conditionals and loops stay as they are. What
// a signature does besides answering is left out, but for assertions. Files are
// not among what the graph reads: tables that are filled from an asset are given
// its lines.
type Program struct {
	Graph      *graphpb.GraphDef
	Signatures map[string]*Signature
	// Refused are the signatures that cannot be served, and why.
	Refused map[string]error
	// Variables and Tables are run, in this order, before anything else.
	Variables, Tables Initial
}

// A Signature is one of a program's functions, with its ports sorted by name.
type Signature struct {
	Method          string // such as "tensorflow/serving/predict"
	Inputs, Outputs []network.Port
	Checks          []string // nodes that fail where the inputs are not as they must be
}

// An Initial gives variables or tables their contents: nodes to run, and what
// they are fed.
type Initial struct {
	Targets []string
	Feeds   []Value
}

// A Value is what a node is fed. Strings are in Text, all else in Data:
// little-endian and row-major.
type Value struct {
	network.Port
	Data []byte
	Text [][]byte
}

const (
	trainSignature = "__saved_model_train_op"
	// mainOps are the collections in which TensorFlow 1 keeps the node that fills
	// tables.
	mainOp, legacyInitOp = "saved_model_main_op", "legacy_init_op"
)

// ReadProgram reads the SavedModel in dir. The tags are as in [Options]. A
// signature that cannot be served is in Refused; where none can, the error is
// that of the first.
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

// A programReader makes a program of a meta graph.
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

// program makes the program, but for the values of variables.
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

// noSignature says why a program has no signatures.
func (r *programReader) noSignature(p *Program) error {
	for _, key := range slices.Sorted(maps.Keys(p.Refused)) {
		return fmt.Errorf("signature %q: %w", key, p.Refused[key])
	}
	_, err := chooseSignature(r.meta, "")
	return err
}

// build puts the needed nodes and functions together.
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
			if e.port == control && r.needed[e.node] == nil {
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
		return fmt.Errorf("%w: its functions, put in the places that call them, have over %d nodes", ErrUnsupported, maxParts)
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

// assign adds the nodes that give variables their values.
func (r *programReader) assign(p *Program, weights []*network.Weight) {
	for _, w := range weights {
		value := r.placeholder("assign/"+w.Name+"/value", w.DataType, w.Shape)
		target := &nodepb.NodeDef{Name: r.free("assign/" + w.Name), Op: "AssignVariableOp", Input: []string{w.Name, value},
			Attr: attributes{"dtype": typeAttribute(w.DataType)}}
		r.nodes[target.GetName()] = target
		p.Graph.Node = append(p.Graph.Node, target, r.nodes[value])
		p.Variables.Targets = append(p.Variables.Targets, target.GetName())
		p.Variables.Feeds = append(p.Variables.Feeds, Value{
			Port: network.Port{Name: w.Name, Tensor: value + ":0", DataType: w.DataType, Shape: w.Shape}, Data: w.Data,
		})
	}
}

// isPlaceholder says whether a node stands for what is fed.
func isPlaceholder(n *nodepb.NodeDef) bool { return strings.HasPrefix(n.GetOp(), "Placeholder") }
