package savedmodel

import (
	"fmt"
	"maps"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	metapb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"tkit/internal/network"
)

// entry is a signature being added to the program.
type entry struct {
	key     string
	def     *metapb.SignatureDef
	fed     map[network.TensorID]string // the inputs' names, by the tensors they replace
	roots   []network.TensorID
	effects []string        // nodes that it runs for their side effects
	writes  map[string]bool // the variables changed by these, by identity
	needed  map[string]*nodepb.NodeDef
	checks  []string
	err     error
}

// addEntries inlines the functions called by the signatures, one after the
// other, so that the side effects of each are known.
func (r *programReader) addEntries() error {
	for _, key := range slices.Sorted(maps.Keys(r.meta.GetSignatureDef())) {
		def := r.meta.GetSignatureDef()[key]
		if key == initSignature || key == trainSignature || len(def.GetOutputs()) == 0 {
			continue
		}
		e := &entry{key: key, def: def, fed: map[network.TensorID]string{}, writes: map[string]bool{}, needed: map[string]*nodepb.NodeDef{}}
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

// checkPorts rejects everything except dense tensors.
func checkPorts(def *metapb.SignatureDef) error {
	for _, side := range []struct {
		name  string
		infos map[string]*metapb.TensorInfo
	}{{"input", def.GetInputs()}, {"output", def.GetOutputs()}} {
		for _, name := range slices.Sorted(maps.Keys(side.infos)) {
			info := side.infos[name]
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

// flatten determines what the signatures change, and removes control
// dependencies from the graph, which matter only for side effects.
func (r *programReader) flatten(filled []filling) error {
	var roots []network.TensorID
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
			all = append(all, network.Output(name, network.Control))
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
				roots = append(roots, network.Output(n.GetName(), network.Control))
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
		if in.Port == network.Control || i > 0 && len(calls) == 0 {
			break
		}
		if v := r.variableAt(in); v != nil && (len(calls) == 0 || r.library.check(calls) != nil) {
			e.writes[r.identity(v)] = true
		}
	}
	return nil
}

// refuseWriters refuses the signatures that change a variable on which outputs
// depend, since the next request would get a different result. Signatures that
// change variables that they read themselves are refused first, so that they do
// not exclude others.
func (r *programReader) refuseWriters() {
	for _, e := range r.entries {
		r.refuseWriter(e, []*entry{e})
	}
	for _, e := range r.entries {
		r.refuseWriter(e, r.entries)
	}
}

// refuseWriter refuses an entry that changes a variable read by one of the
// readers.
func (r *programReader) refuseWriter(e *entry, readers []*entry) {
	for _, key := range slices.Sorted(maps.Keys(e.writes)) {
		v := r.variables[key]
		for _, reader := range readers {
			if v != nil && e.err == nil && reader.err == nil && reader.needed[v.name] != nil {
				e.err = fmt.Errorf("%w: it changes variable %q, which signature %q reads: requests must not change the served model", ErrUnsupported, v.node, reader.key)
			}
		}
	}
}

// signature returns the inputs and outputs of an entry, as tensors of the program.
func (r *programReader) signature(e *entry) *Signature {
	s := &Signature{Method: e.def.GetMethodName(), Checks: e.checks}
	given := map[string]network.TensorID{} // the inputs' tensors
	for at, name := range e.fed {
		given[name] = at
	}
	handedOn := map[int]bool{} // outputs that are also inputs
	for i, root := range e.roots {
		at, err := r.resolve(root)
		_, handedOn[i] = e.fed[at]
		handedOn[i] = handedOn[i] && err == nil
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		info := e.def.GetInputs()[name]
		s.Inputs = append(s.Inputs, tensorInfo(name, r.feedable(given[name], dataType(info)), info))
	}
	for i, name := range slices.Sorted(maps.Keys(e.def.GetOutputs())) {
		info := e.def.GetOutputs()[name]
		from, err := r.resolve(e.roots[i])
		if err != nil {
			panic(err) // it was resolved before
		}
		if handedOn[i] { // TensorFlow cannot fetch a fed tensor
			same := &nodepb.NodeDef{Name: r.free("output"), Op: "Identity", Input: []string{from.String()},
				Attr: attributes{"T": typeAttribute(dataType(info))}}
			r.nodes[same.GetName()], r.needed[same.GetName()] = same, same
			from = network.Output(same.GetName(), 0)
		}
		s.Outputs = append(s.Outputs, tensorInfo(name, from, info))
	}
	return s
}

func tensorInfo(name string, at network.TensorID, info *metapb.TensorInfo) network.TensorInfo {
	return network.TensorInfo{Name: name, Tensor: at.Name(), DataType: dataType(info), Shape: shapeOf(info.GetTensorShape())}
}
