package network

import "fmt"

// Learned returns how many weights, and constants shaped like weights, the
// output of that name depends on, and how many nodes in total: a measure of the
// depth of that output.
func (n *Network) Learned(output string) (weights, nodes int, err error) {
	p, err := n.Output(output)
	if err != nil {
		return 0, 0, err
	}
	x := newIndex(n.Graph.GetNode())
	behind := x.sources([]string{p.Tensor})
	for _, source := range n.weightNodes() {
		if behind[source] {
			weights++
		}
	}
	return weights, len(behind), nil
}

// Before returns the part of the network that depends on one input alone. It
// ends at the last endpoint on the path from that input to the only output that
// no other input reaches. Its output has the endpoint's name.
func (n *Network) Before(input string) (*Network, error) {
	in, err := n.Input(input)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, p := range n.Inputs {
		if p.Name != in.Name {
			others = append(others, p.Tensor)
		}
	}
	x := newIndex(n.Graph.GetNode())
	reached, learned := x.dependents(others), n.learned(x)
	alone := &Network{Graph: n.Graph, Inputs: []TensorInfo{in}, Outputs: n.Outputs, Weights: n.Weights}
	at := -1
	places := alone.places()
	for i, p := range places {
		if !reached[p.at.Node] && learned[p.at.Node] {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("input %q joins %q before any endpoint", in.Name, names(n.Inputs, in.Name))
	}
	port, err := n.describe(places[at].at)
	if err != nil {
		return nil, err
	}
	port.Name = places[at].name
	return n.live(n.Graph.GetNode(), n.Inputs, []TensorInfo{port}, n.Weights), nil
}

// names returns the names of tensors except one.
func names(infos []TensorInfo, but string) []string {
	var list []string
	for _, p := range infos {
		if p.Name != but {
			list = append(list, p.Name)
		}
	}
	return list
}
