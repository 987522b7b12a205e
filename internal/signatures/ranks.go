package signatures

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// ranks checks the ranks of inputs for which a model declares none. Some of
// TensorFlow's operations abort the process for a rank that they do not
// support. Their shape functions, which run when a graph is imported, return an
// error instead: therefore the graph is imported with the given ranks, once for
// each combination.
type ranks struct {
	graph *graphpb.GraphDef

	mu    sync.Mutex
	known map[string]error // the result for ranks, by their text
}

// maxKnownRanks is the maximal number of stored results. When it is reached,
// all are dropped.
const maxKnownRanks = 256

// newRanks returns a check for inputs of a graph, or nil if all declare
// their ranks.
func newRanks(graph *graphpb.GraphDef, infos []network.TensorInfo) *ranks {
	if !slices.ContainsFunc(infos, func(p network.TensorInfo) bool { return p.Shape == nil }) {
		return nil
	}
	return &ranks{graph: graph, known: map[string]error{}}
}

// check rejects ranks that an operation of the graph does not support. The
// error is an [InputError].
func (r *ranks) check(infos []network.TensorInfo, inputs []*tensorflow.Tensor) error {
	given := map[string]int{} // by node
	var key strings.Builder
	for i, p := range infos {
		if p.Shape == nil {
			rank := len(inputs[i].Shape())
			given[strings.TrimSuffix(p.Tensor, ":0")] = rank
			fmt.Fprintf(&key, "%q %d ", p.Name, rank)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err, known := r.known[key.String()]
	if !known {
		err = r.infer(given)
		if e, ok := errors.AsType[*tensorflow.Error](err); ok && e.Code == tensorflow.InvalidArgument {
			err = inputError("inputs of these ranks do not fit the model: %s", e.Message)
		} else if err != nil {
			return err
		}
		if len(r.known) == maxKnownRanks {
			clear(r.known)
		}
		r.known[key.String()] = err
	}
	return err
}

// infer imports the graph with the ranks of nodes.
func (r *ranks) infer(given map[string]int) error {
	ranked := &graphpb.GraphDef{Library: r.graph.GetLibrary(), Versions: r.graph.GetVersions()}
	for _, n := range r.graph.GetNode() {
		if rank, ok := given[n.GetName()]; ok && n.GetOp() == "Placeholder" {
			n = rankedPlaceholder(n, rank)
		}
		ranked.Node = append(ranked.Node, n)
	}
	g, err := tensorflow.ImportGraph(ranked)
	if err == nil {
		g.Close()
	}
	return err
}

func rankedPlaceholder(n *nodepb.NodeDef, rank int) *nodepb.NodeDef {
	return network.PlaceholderNode(n.GetName(), tensorflow.DataType(n.GetAttr()["dtype"].GetType()), slices.Repeat([]int64{-1}, rank))
}
