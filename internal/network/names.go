package network

import (
	"regexp"
	"slices"
	"strings"

	"tkit/internal/spelling"
)

// traceSuffix is what a tracer appends to make a scope unique.
var traceSuffix = regexp.MustCompile(`_[0-9]+$`)

// nameAll gives places names for people: the scope of the node, which is the
// layer, without the scopes that all layers share. Listed places choose
// first; a place whose scope is taken adds the node's own name.
//
//	StatefulPartitionedCall/resnet50_1/conv5_block3_out_1/Relu → conv5_block3_out
func nameAll(list []place) {
	var layers [][]string // of the listed places
	for _, p := range list {
		if !p.hidden {
			layers = append(layers, scopeOf(p.at.node))
		}
	}
	root := commonPrefix(layers)
	retraced := tracedAgain(root, layers)
	clean := func(p place) (layer, full string) {
		path := strings.Split(p.at.node, "/")
		depth := 0
		for depth < len(root) && depth < len(path)-1 && path[depth] == root[depth] {
			depth++
		}
		path = slices.Clone(path[depth:])
		own := path[len(path)-1]
		path = path[:len(path)-1]
		if len(path) > 1 && path[len(path)-1] == "batchnorm" { // how Keras spells a layer's batch norm out
			path = path[:len(path)-1]
		}
		if retraced {
			path = withoutNumbers(path)
		}
		return strings.Join(path, "/"), strings.Join(append(path, own), "/")
	}
	taken := make(map[string]bool)
	// From the end, so that of two places in one layer the later has its name.
	for _, hidden := range []bool{false, true} {
		for i := len(list) - 1; i >= 0; i-- {
			p := &list[i]
			if p.hidden != hidden {
				continue
			}
			layer, full := clean(*p)
			for _, name := range []string{layer, full, p.at.node, p.at.tensor()} {
				if name != "" && !taken[name] {
					p.name = name
					taken[name] = true
					break
				}
			}
		}
	}
}

// scopeOf returns the scopes that a node is in.
func scopeOf(node string) []string {
	path := strings.Split(node, "/")
	return path[:len(path)-1]
}

// commonPrefix returns the scopes that all paths begin with. The innermost
// scope of a path is its layer and never part of it.
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

// tracedAgain tells whether a tracer numbered the scopes because their names
// were in use: Keras does so when it exports a model that it has called before.
// Then the model's own scope and every layer in it ends in a number, and
// without the numbers layers are still told apart.
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

// withoutNumbers returns the scopes without a tracer's numbers.
func withoutNumbers(path []string) []string {
	out := slices.Clone(path)
	for i, scope := range out {
		out[i] = traceSuffix.ReplaceAllString(scope, "")
	}
	return out
}

// nearest returns up to k of names, those that take the fewest edits from name
// first.
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
