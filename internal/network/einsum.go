package network

import (
	"fmt"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"

	"tkit/internal/tensorflow"
)

// ExplicitSums returns the network with the "..." in the equations of its
// Einsum operations replaced by a label for each dimension. TensorFlow with
// oneDNN computes "...c,ck->...k" wrongly for tensors of four dimensions, but
// "abdc,ck->abdk" correctly. It returns n itself if no equation has an
// ellipsis.
//
// An equation whose ellipses broadcast a dimension of one is an error: labels
// cannot express that, and TensorFlow computes it wrongly, too.
func (n *Network) ExplicitSums() (*Network, error) {
	var g *tensorflow.Graph
	var nodes []*nodepb.NodeDef
	for _, node := range n.Graph.GetNode() {
		equation := attrString(node, "equation", "")
		if node.GetOp() != "Einsum" || !strings.Contains(equation, "...") {
			nodes = append(nodes, node)
			continue
		}
		if g == nil {
			var err error
			if g, err = n.importGraph(); err != nil {
				return nil, fmt.Errorf("explicit sums: %w", err)
			}
			defer g.Close()
		}
		explicit, err := labelled(equation, dataInputs(node), g)
		if err != nil {
			return nil, fmt.Errorf("node %q (Einsum %q) %w: save the model with a letter for each dimension", node.GetName(), equation, err)
		}
		node = clone(node)
		node.Attr["equation"] = stringAttr(explicit)
		nodes = append(nodes, node)
	}
	if g == nil {
		return n, nil
	}
	return n.live(nodes, n.Inputs, n.Outputs, n.Weights), nil
}

// labelled returns an equation with its ellipses replaced by letters, aligned
// at their last dimensions.
func labelled(equation string, inputs []string, g *tensorflow.Graph) (string, error) {
	terms, result, ok := strings.Cut(equation, "->")
	operands := strings.Split(terms, ",")
	if !ok || len(operands) != len(inputs) {
		return "", fmt.Errorf("does not fit its %d inputs", len(inputs))
	}
	var letters string
	for c := 'z'; c >= 'a'; c-- {
		if !strings.ContainsRune(equation, c) {
			letters = string(c) + letters
		}
	}
	sizes := make(map[byte]int64) // by letter, once known
	longest := 0
	for i, in := range inputs {
		shape, err := g.Shape(mustID(in).Name())
		if err != nil || shape == nil {
			return "", fmt.Errorf("has an input %d of unknown rank", i)
		}
		before, after, has := strings.Cut(operands[i], "...")
		if !has {
			continue
		}
		dims := len(shape) - len(before) - len(after)
		if dims < 0 || dims > len(letters) {
			return "", fmt.Errorf("does not fit its input %d of %d dimensions", i, len(shape))
		}
		own := letters[len(letters)-dims:]
		for k := range own {
			size := shape[len(before)+k]
			if other, seen := sizes[own[k]]; seen && other != size && (other == 1 || size == 1) {
				return "", fmt.Errorf("repeats one dimension of %d along another of %d", min(other, size), max(other, size))
			}
			sizes[own[k]] = size
		}
		operands[i], longest = before+own+after, max(longest, dims)
	}
	result = strings.Replace(result, "...", letters[len(letters)-longest:], 1)
	return strings.Join(operands, ",") + "->" + result, nil
}
