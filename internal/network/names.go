package network

import (
	"regexp"
	"slices"
	"strings"

	"tkit/internal/spelling"
)

// traceSuffix is what tracing appends to make a scope unique.
var traceSuffix = regexp.MustCompile(`_[0-9]+$`)

// nameAll gives places readable names: the scope of the node, which is the
// layer, without the scopes that all layers share. Listed places are named
// first; a place whose scope is taken appends the node's own name.
//
//	StatefulPartitionedCall/resnet50_1/conv5_block3_out_1/Relu → conv5_block3_out
func nameAll(list []place) {
	var layers [][]string // of the listed places
	for _, p := range list {
		if !p.hidden {
			layers = append(layers, scopeOf(p.at.Node))
		}
	}
	root := commonPrefix(layers)
	retraced := tracedAgain(root, layers)
	clean := func(p place) (layer, full string) {
		path := strings.Split(p.at.Node, "/")
		depth := 0
		for depth < len(root) && depth < len(path)-1 && path[depth] == root[depth] {
			depth++
		}
		path = slices.Clone(path[depth:])
		own := path[len(path)-1]
		path = path[:len(path)-1]
		if len(path) > 1 && path[len(path)-1] == "batchnorm" { // how Keras names a layer's batch norm
			path = path[:len(path)-1]
		}
		if retraced {
			path = withoutNumbers(path)
		}
		return strings.Join(path, "/"), strings.Join(append(path, own), "/")
	}
	taken := make(map[string]bool)
	// From the end, so that of two places in one layer the later gets the name.
	for _, hidden := range []bool{false, true} {
		for i := len(list) - 1; i >= 0; i-- {
			p := &list[i]
			if p.hidden != hidden {
				continue
			}
			layer, full := clean(*p)
			for _, name := range []string{layer, full, p.at.Node, p.at.Name()} {
				if name != "" && !taken[name] {
					p.name = name
					taken[name] = true
					break
				}
			}
		}
	}
}

// scopeOf returns the scopes of a node's name.
func scopeOf(node string) []string {
	path := strings.Split(node, "/")
	return path[:len(path)-1]
}

// commonPrefix returns the scopes shared by all paths, except their innermost
// scope, which is the layer.
func commonPrefix(paths [][]string) []string {
	var prefix []string
	for i, path := range paths {
		if i == 0 {
			prefix = path[:max(0, len(path)-1)]
			continue
		}
		n := 0
		for n < len(prefix) && n < len(path)-1 && prefix[n] == path[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return prefix
}

// tracedAgain reports whether tracing numbered the scopes because their names
// were in use. Keras does so when it exports a model that was called before:
// then the model's own scope and every layer in it end in a number, and the
// layers remain distinct without the numbers.
func tracedAgain(root []string, layers [][]string) bool {
	if len(root) == 0 || !traceSuffix.MatchString(root[len(root)-1]) {
		return false
	}
	distinct := make(map[string]bool)
	bare := make(map[string]bool)
	for _, path := range layers {
		layer := path[len(root):]
		if !traceSuffix.MatchString(layer[0]) {
			return false
		}
		distinct[strings.Join(layer, "/")] = true
		bare[strings.Join(withoutNumbers(layer), "/")] = true
	}
	return len(bare) == len(distinct)
}

// withoutNumbers returns the scopes without tracing's numbers.
func withoutNumbers(path []string) []string {
	out := slices.Clone(path)
	for i, scope := range out {
		out[i] = traceSuffix.ReplaceAllString(scope, "")
	}
	return out
}

// nearest returns up to k names with the smallest edit distance to name,
// nearest first.
func nearest(name string, names []string, k int) []string {
	type scored struct {
		name  string
		edits int
	}
	var list []scored
	for _, candidate := range names {
		list = append(list, scored{candidate, spelling.Distance(name, candidate)})
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.edits - b.edits })
	var out []string
	for _, s := range list[:min(k, len(list))] {
		out = append(out, s.name)
	}
	return out
}
