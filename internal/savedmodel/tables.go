package savedmodel

import (
	"fmt"
	"slices"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// filling is a node that fills a table when the model is loaded.
type filling struct {
	node  *nodepb.NodeDef
	table *nodepb.NodeDef
	asset string           // the name of the asset with the table's lines; "" if keys and values are in the graph
	keys  network.TensorID // the tensors of keys and values
	vals  network.TensorID
}

// sources returns the tensors that fill the table, if they are in the graph.
func (f filling) sources() []network.TensorID {
	if f.asset != "" {
		return nil
	}
	return []network.TensorID{f.keys, f.vals}
}

func isTable(n *nodepb.NodeDef) bool {
	return n.GetOp() == "HashTableV2" || n.GetOp() == "MutableHashTableV2"
}

// initialRoot inlines the operations that the model runs when it is loaded, and
// returns the node that does so; "" if there is none.
func (r *programReader) initialRoot() (string, error) {
	name := ""
	for _, info := range r.meta.GetSignatureDef()[initSignature].GetOutputs() {
		name = info.GetName()
	}
	for _, collection := range []string{mainOp, legacyInitOp} {
		if nodes := r.meta.GetCollectionDef()[collection].GetNodeList().GetValue(); name == "" && len(nodes) > 0 {
			name = nodes[0]
		}
	}
	if name == "" {
		return "", nil
	}
	root, err := network.ParseTensorID(name)
	if err == nil {
		err = r.run(network.Output(root.Node, network.Control))
	}
	if err != nil {
		return "", fmt.Errorf("initial operation %q: %w", name, err)
	}
	return root.Node, nil
}

// fillings returns the nodes that fill tables when the model is loaded. The
// model's other initial operations are not run.
func (r *programReader) fillings(initial string) ([]filling, error) {
	if initial == "" {
		return nil, nil
	}
	nodes, err := r.reached([]network.TensorID{network.Output(initial, network.Control)})
	if err != nil {
		return nil, fmt.Errorf("initial operation %q: %w", initial, err)
	}
	assets, err := r.assets()
	if err != nil {
		return nil, err
	}
	assigned := r.assigned(nodes)
	var found []filling
	for _, n := range nodes {
		want := map[string]int{"InitializeTableV2": 3, "LookupTableImportV2": 3, "InitializeTableFromTextFileV2": 2}[n.GetOp()]
		if want == 0 {
			continue
		}
		inputs, err := r.inputs(n)
		if err != nil {
			return nil, err
		}
		if len(inputs) < want || slices.ContainsFunc(inputs[:want], func(e network.TensorID) bool { return e.Port == network.Control }) {
			return nil, fmt.Errorf("node %q (%s) has too few inputs", n.GetName(), n.GetOp())
		}
		f := filling{node: n, table: r.nodes[r.through(inputs[0]).Node]}
		if !isTable(f.table) {
			continue // not served
		}
		if want == 3 {
			f.keys, f.vals = inputs[1], inputs[2]
		} else {
			if f.asset = assets[r.held(inputs[1], assigned)]; f.asset == "" {
				continue // not a file of the model
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// assets returns the names of the model's assets by the tensors with their
// paths.
func (r *programReader) assets() (map[network.TensorID]string, error) {
	found := map[network.TensorID]string{}
	for _, a := range r.meta.GetAssetFileDef() {
		at, err := tensorOf(a.GetTensorInfo())
		if err == nil {
			at, err = r.resolve(at)
		}
		if err != nil {
			return nil, fmt.Errorf("asset %q: %w", a.GetFilename(), err)
		}
		found[at] = a.GetFilename()
	}
	return found, nil
}

// held follows a tensor to its origin, including through a variable to which it
// was assigned.
func (r *programReader) held(e network.TensorID, assigned map[string]network.TensorID) network.TensorID {
	e = r.through(e)
	if n := r.nodes[e.Node]; n.GetOp() == "ReadVariableOp" && len(n.GetInput()) > 0 {
		if handle, err := network.ParseTensorID(n.GetInput()[0]); err == nil {
			if v := r.variableAt(handle); v != nil {
				return r.through(assigned[r.identity(v)])
			}
		}
	}
	return e
}

// assigned returns the tensors that nodes assign to variables, by the
// variables' identities.
func (r *programReader) assigned(nodes []*nodepb.NodeDef) map[string]network.TensorID {
	values := map[string]network.TensorID{}
	for _, n := range nodes {
		if n.GetOp() != "AssignVariableOp" {
			continue
		}
		if to, from, err := assignment(n); err == nil {
			if v := r.variableAt(to); v != nil {
				values[r.identity(v)] = from
			}
		}
	}
	return values
}

// refuseUnfilled refuses the signatures that use a table without contents.
func (r *programReader) refuseUnfilled(filled []filling) {
	has := map[string]bool{}
	for _, f := range filled {
		has[variableKey(f.table)] = true
	}
	for _, e := range r.entries {
		for name, n := range e.needed {
			if isTable(n) && !has[variableKey(n)] && e.err == nil {
				e.err = fmt.Errorf("%w: table %q has no contents: it is filled neither from constants nor from an asset when the model is loaded", ErrUnsupported, name)
			}
		}
	}
}

// fillTables adds the operations that fill the program's tables.
func (r *programReader) fillTables(p *Program, filled []filling, dir string) error {
	used := map[string]bool{}
	for _, n := range r.needed {
		if isTable(n) {
			used[variableKey(n)] = true
		}
	}
	reader := assetReader{dir: dir}
	defer reader.close()
	for _, f := range filled {
		if !used[variableKey(f.table)] {
			continue
		}
		if err := r.fillTable(p, f, &reader); err != nil {
			return fmt.Errorf("table %q: %w", f.table.GetName(), err)
		}
	}
	return nil
}

func (r *programReader) fillTable(p *Program, f filling, reader *assetReader) error {
	keyType := tensorflow.DataType(f.table.GetAttr()["key_dtype"].GetType())
	valueType := tensorflow.DataType(f.table.GetAttr()["value_dtype"].GetType())
	keys, values := f.keys.String(), f.vals.String()
	if f.asset == "" {
		nodes, err := r.behind(f.sources(), nil, r.needed)
		if err == nil {
			err = r.servable(nodes)
		}
		if err != nil {
			return err
		}
		for _, n := range nodes {
			r.needed[n.GetName()] = n
		}
	} else {
		content, err := reader.table(f.asset, f.node, keyType, valueType)
		if err != nil {
			return fmt.Errorf("asset %q: %w", f.asset, err)
		}
		keys, values = r.feed(p, f.asset, content.keys), r.feed(p, f.asset, content.values)
	}
	table := f.table
	r.needed[table.GetName()] = table
	if err := r.library.clean(table); err != nil {
		return err
	}
	target := &nodepb.NodeDef{Name: r.free("table/fill"), Op: "InitializeTableV2", Input: []string{table.GetName(), keys, values},
		Attr: attributes{"Tkey": typeAttribute(keyType), "Tval": typeAttribute(valueType)}}
	if table.GetOp() == "MutableHashTableV2" {
		target.Op = "LookupTableImportV2"
		target.Attr = attributes{"Tin": typeAttribute(keyType), "Tout": typeAttribute(valueType)}
	}
	r.nodes[target.GetName()], r.needed[target.GetName()] = target, target
	p.Tables.Targets = append(p.Tables.Targets, target.GetName())
	return nil
}

// feed adds a placeholder that is fed with a column when tables are filled, and
// returns its name.
func (r *programReader) feed(p *Program, asset string, c column) string {
	shape := []int64{int64(c.count)}
	name := r.placeholder("table/fed", c.dataType, shape)
	r.needed[name] = r.nodes[name]
	p.Tables.Feeds = append(p.Tables.Feeds, Value{
		TensorInfo: network.TensorInfo{Name: asset, Tensor: name + ":0", DataType: c.dataType, Shape: shape}, Data: c.data, Text: c.text,
	})
	return name
}
