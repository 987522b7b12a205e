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

// An entry is a signature on its way into the program.
type entry struct {
	key     string
	def     *metapb.SignatureDef
	fed     map[edge]string // the inputs' names, by the tensors that they replace
	roots   []edge
	effects []string        // nodes that it runs for what they do
	writes  map[string]bool // the variables that these change, by identity
	needed  map[string]*nodepb.NodeDef
	checks  []string
	err     error
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

// addEntries inlines what the signatures call, one after the other, so that what
// they do besides answering is known for each.
func (r *programReader) addEntries() error {
	for _, key := range slices.Sorted(maps.Keys(r.meta.GetSignatureDef())) {
		def := r.meta.GetSignatureDef()[key]
		if key == initSignature || key == trainSignature || len(def.GetOutputs()) == 0 {
			continue
		}
		e := &entry{key: key, def: def, fed: map[edge]string{}, writes: map[string]bool{}, needed: map[string]*nodepb.NodeDef{}}
		r.entries = append(r.entries, e)
		if e.err = checkPorts(def); e.err != nil {
			continue
		}
		if e.roots, e.err = signatureOutputs(def); e.err != nil {
			continue
		}
		before := len(r.effects)
		if err := r.run(e.roots...); err != nil {
			return err
		}
		e.effects = slices.Clone(r.effects[before:])
		for name, info := range def.GetInputs() {
			at, err := tensorOf(info)
			if err == nil {
				at, err = r.resolve(at)
			}
			if other, ok := e.fed[at]; ok && err == nil {
				err = fmt.Errorf("%w: it is the same tensor as input %q", ErrUnsupported, other)
			}
			if err != nil {
				e.err = fmt.Errorf("input %q: %w", name, err)
				break
			}
			e.fed[at] = name
		}
	}
	return nil
}

// checkPorts refuses what is no dense tensor.
func checkPorts(def *metapb.SignatureDef) error {
	for _, side := range []struct {
		name  string
		ports map[string]*metapb.TensorInfo
	}{{"input", def.GetInputs()}, {"output", def.GetOutputs()}} {
		for _, name := range slices.Sorted(maps.Keys(side.ports)) {
			info := side.ports[name]
			if _, err := tensorOf(info); err != nil {
				return fmt.Errorf("%s %q: %w", side.name, name, err)
			}
			if dt := dataType(info); !isDense(dt) {
				return fmt.Errorf("%w: %s %q is of type %v", ErrUnsupported, side.name, name, dt)
			}
			if len(info.GetTensorShape().GetDim()) > maxRank {
				return fmt.Errorf("%w: %s %q has %d dimensions", ErrUnsupported, side.name, name, len(info.GetTensorShape().GetDim()))
			}
		}
	}
	return nil
}

// flatten finds out what the signatures change, and takes out of the graph the
// order in which things are done, which only matters where something is changed.
func (r *programReader) flatten(filled []filling) error {
	var roots []edge
	for _, f := range filled {
		roots = append(roots, f.sources()...)
	}
	for _, e := range r.entries {
		if e.err != nil {
			continue
		}
		roots = append(roots, e.roots...)
		all := slices.Clone(e.roots)
		for _, name := range e.effects {
			all = append(all, edge{name, control})
		}
		nodes, err := r.reached(all)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if err := r.noteWrites(e, n); err != nil {
				return err
			}
			if r.library.asserts(n) {
				e.checks = append(e.checks, n.GetName())
				roots = append(roots, edge{n.GetName(), control})
			}
		}
	}
	nodes, err := r.reached(roots)
	if err != nil {
		return err
	}
	if err := r.dropControls(nodes); err != nil {
		return err
	}
	return r.plainVariables(nodes)
}

// noteWrites records the variables that a node changes when an entry runs it.
func (r *programReader) noteWrites(e *entry, n *nodepb.NodeDef) error {
	inputs, err := r.inputs(n)
	if err != nil {
		return err
	}
	calls := r.library.calls(n)
	if !r.ops.changes(n) && len(calls) == 0 {
		return nil
	}
	for i, in := range inputs {
		if in.port == control || i > 0 && len(calls) == 0 {
			break
		}
		if v := r.variableAt(in); v != nil && (len(calls) == 0 || r.library.check(calls) != nil) {
			e.writes[r.identity(v)] = true
		}
	}
	return nil
}

// refuseWriters refuses the signatures that change a variable which an answer
// depends on: the next request would be answered otherwise. Those that change what
// they read themselves go first, so that they keep no others out.
func (r *programReader) refuseWriters() {
	for _, e := range r.entries {
		r.refuseWriter(e, []*entry{e})
	}
	for _, e := range r.entries {
		r.refuseWriter(e, r.entries)
	}
}

// refuseWriter refuses an entry that changes a variable which one of the readers
// reads.
func (r *programReader) refuseWriter(e *entry, readers []*entry) {
	for _, key := range slices.Sorted(maps.Keys(e.writes)) {
		v := r.variables[key]
		for _, reader := range readers {
			if v != nil && e.err == nil && reader.err == nil && reader.needed[v.name] != nil {
				e.err = fmt.Errorf("%w: it changes variable %q, which signature %q reads: what is served must stay as it is", ErrUnsupported, v.node, reader.key)
			}
		}
	}
}

// signature returns the ports of an entry, as tensors of the program.
func (r *programReader) signature(e *entry) *Signature {
	s := &Signature{Method: e.def.GetMethodName(), Checks: e.checks}
	given := map[string]edge{} // the inputs' tensors
	for at, name := range e.fed {
		given[name] = at
	}
	handedOn := map[int]bool{} // the outputs that are inputs
	for i, root := range e.roots {
		at, err := r.resolve(root)
		_, handedOn[i] = e.fed[at]
		handedOn[i] = handedOn[i] && err == nil
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		info := e.def.GetInputs()[name]
		s.Inputs = append(s.Inputs, port(name, r.feedable(given[name], dataType(info)), info))
	}
	for i, name := range slices.Sorted(maps.Keys(e.def.GetOutputs())) {
		info := e.def.GetOutputs()[name]
		from, err := r.resolve(e.roots[i])
		if err != nil {
			panic(err) // it was resolved before
		}
		if handedOn[i] { // TensorFlow does not fetch what it is fed
			same := &nodepb.NodeDef{Name: r.free("output"), Op: "Identity", Input: []string{from.String()},
				Attr: attributes{"T": typeAttribute(dataType(info))}}
			r.nodes[same.GetName()], r.needed[same.GetName()] = same, same
			from = edge{same.GetName(), 0}
		}
		s.Outputs = append(s.Outputs, port(name, from, info))
	}
	return s
}

func port(name string, at edge, info *metapb.TensorInfo) network.Port {
	return network.Port{Name: name, Tensor: at.tensor(), DataType: dataType(info), Shape: shapeOf(info.GetTensorShape())}
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
