package network

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// Loaded is a network ready to run: a session that holds the weights. It does
// not need the Network it came from. It is safe for concurrent use; Close ends
// it.
type Loaded struct {
	Inputs, Outputs []TensorInfo
	// OneDNN is set if the network runs on the CPU with its convolutions as
	// oneDNN's operations.
	OneDNN bool

	graph   *tensorflow.Graph
	session *tensorflow.Session
	step    *tensorflow.Step
}

// Load opens a session on the network and sets its variables. The session holds
// copies of the weights. The weights of a mapped file are copied one at a time
// and their pages released. In addition it holds the filters that oneDNN's
// convolutions reorder in their first run.
func (n *Network) Load(c tensorflow.Config) (*Loaded, error) {
	l := &Loaded{Inputs: n.Inputs, Outputs: n.Outputs}
	if err := l.open(n, c); err != nil {
		return nil, fmt.Errorf("load network: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

func (l *Loaded) open(n *Network, c tensorflow.Config) error {
	if err := n.Validate(); err != nil {
		return err
	}
	assigning := *n
	types, err := oneDNNTypes(c)
	if err != nil {
		return err
	}
	l.OneDNN = len(types) > 0
	computing, err := n.fuse(types)
	if err != nil {
		return err
	}
	nodes, feeds, targets := assignments(n, computing)
	assigning.Graph = withVersions(n.Graph, nodes)
	if l.graph, err = assigning.importGraph(); err != nil {
		return err
	}
	if l.session, err = tensorflow.NewSession(l.graph, c); err != nil {
		return err
	}
	if len(targets) > 0 {
		if err := l.assign(n, feeds, targets); err != nil {
			return err
		}
	}
	l.step, err = l.session.Step(tensors(n.Inputs), tensors(n.Outputs), nil)
	return err
}

// assignments returns the graph's nodes together with nodes that assign each
// weight.
func assignments(n *Network, computing []*nodepb.NodeDef) (nodes []*nodepb.NodeDef, feeds, targets []string) {
	nodes = append(nodes, computing...)
	scope := newIndex(nodes).freeScope("assign")
	for i, w := range n.Weights {
		feed := scope + "/" + strconv.Itoa(i) + "/value"
		target := scope + "/" + strconv.Itoa(i)
		nodes = append(nodes,
			PlaceholderNode(feed, w.DataType, w.Shape),
			newNode("AssignVariableOp", target, attrs{"dtype": typeAttr(w.DataType)}, w.Name, feed))
		feeds, targets = append(feeds, feed), append(targets, target)
	}
	return nodes, feeds, targets
}

// assign sets the variables in one run. A variable adopts the buffer that it is
// fed, so the copies made here belong to the session.
func (l *Loaded) assign(n *Network, feeds, targets []string) error {
	step, err := l.session.Step(feeds, nil, targets)
	if err != nil {
		return err
	}
	var values []*tensorflow.Tensor
	defer func() {
		for _, v := range values {
			v.Close()
		}
	}()
	for _, w := range n.Weights {
		v, err := tensorflow.FromBytes(w.DataType, w.Shape, w.Data)
		if err != nil {
			return fmt.Errorf("weight %q: %w", w.Name, err)
		}
		values = append(values, v)
		n.releasePages(w.Data)
	}
	_, err = step.Run(context.Background(), values...)
	return err
}

// Run computes the outputs from the inputs, both in the order of the network's.
// The caller closes both.
func (l *Loaded) Run(ctx context.Context, in ...*tensorflow.Tensor) ([]*tensorflow.Tensor, error) {
	return l.step.Run(ctx, in...)
}

// Close waits for active runs and frees the session.
func (l *Loaded) Close() error {
	var err error
	if l.session != nil {
		err = l.session.Close()
	}
	if l.graph != nil {
		l.graph.Close()
	}
	return err
}

// tensors returns the tensors of a signature's entries.
func tensors(infos []TensorInfo) []string {
	var list []string
	for _, p := range infos {
		list = append(list, p.Tensor)
	}
	return list
}
