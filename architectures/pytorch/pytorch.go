// Package pytorch gives architectures the weights that torchvision and timm train
// for the same networks.
//
// Each layer's weights are found by the name that its module has there, never by
// their order. Kernels change their layout: PyTorch has [out, in, height, width]
// and [out, in], TensorFlow [height, width, in, out] and [in, out].
package pytorch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tkit/architectures"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
	"tkit/internal/weightfile"
)

var (
	// ErrNames is wrapped by errors about a file whose names are not those of the
	// architecture.
	ErrNames = errors.New("the names are not those of the architecture")
	// ErrScheme is wrapped by errors about a file whose origin must be stated, or
	// was stated wrongly.
	ErrScheme = errors.New("the scheme must be stated")
)

// Loaded are the weights of an architecture.
type Loaded struct {
	Weights []*network.Weight // every one that inference needs, sorted by name
	// Scheme is whose names the file has, such as "torchvision".
	Scheme string
	// Mode is the mode of package preprocessing that the published weights of the
	// scheme expect; "" is the architecture's own preprocessing.
	Mode string
	// Unclear says why the file does not tell which mode it expects, so that the
	// user must choose; "" where Mode is certain.
	Unclear string
	// Ignored are the tensors of the file that inference does not need: those of
	// auxiliary heads, and the numbers of batches that statistics were taken over.
	Ignored []string
}

// Classes returns the number of classes that the file's classifier has. It takes the
// same options as Load and returns the same errors.
func Classes(a architectures.Architecture, f *weightfile.File, scheme string) (int, error) {
	g, err := a.Graph()
	if err != nil {
		return 0, err
	}
	_, all, err := choose(a, g, f, scheme)
	if err != nil {
		return 0, err
	}
	last := all[len(all)-1] // a variable of the classifier
	if len(last.tensor.Shape) == 0 {
		return 0, fmt.Errorf("%s has no dimension", last.name)
	}
	return int(last.tensor.Shape[0]), nil
}

// Load reads the weights of an architecture's network for inference, which is
// g.Serving. A prefix that all names have, such as "module.", is removed. Scheme
// states whose names the file has; "" is for the file to tell, where it can. The
// error wraps [ErrNames] where the file is another network's, and [ErrScheme] where
// networks of two libraries have the same names and compute differently.
func Load(ctx context.Context, a architectures.Architecture, g *architectures.Graph, f *weightfile.File, scheme string) (*Loaded, error) {
	s, all, err := choose(a, g, f, scheme)
	if err != nil {
		return nil, err
	}
	return s.load(ctx, all, f)
}

// choose returns the scheme of a file's names, and where each variable's value is.
func choose(a architectures.Architecture, g *architectures.Graph, f *weightfile.File, stated string) (scheme, []needed, error) {
	known := schemesOf(a.Name, g)
	if len(known) == 0 {
		return scheme{}, nil, fmt.Errorf("no published PyTorch weights are known for %s", a.Name)
	}
	prefix := commonPrefix(slices.Collect(maps.Keys(f.Tensors)))
	var failed []error
	var names []string
	for _, s := range known {
		names = append(names, strings.Split(s.name, " and ")...)
		if stated != "" && !slices.Contains(strings.Split(s.name, " and "), stated) {
			continue
		}
		all, err := s.match(g, prefix, f)
		if err == nil && s.confused != "" && stated == "" {
			err = fmt.Errorf("%w: %s", ErrScheme, s.confused)
			return scheme{}, nil, err
		}
		if err == nil {
			return s, all, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
	}
	if len(failed) == 0 {
		return scheme{}, nil, fmt.Errorf("%w: %q is none of the schemes of %s: %s", ErrScheme, stated, a.Name, strings.Join(names, ", "))
	}
	return scheme{}, nil, fmt.Errorf("%w %s: %w", ErrNames, a.Name, errors.Join(failed...))
}

// commonPrefix is "module." or another first part that every name has.
func commonPrefix(names []string) string {
	first, _, more := strings.Cut(names[0], ".")
	if !more {
		return ""
	}
	for _, name := range names {
		if !strings.HasPrefix(name, first+".") {
			return ""
		}
	}
	return first + "."
}

// A needed is a variable and where its value is.
type needed struct {
	variable architectures.Variable
	layer    architectures.Layer
	input    architectures.Shape // of the layer, without the batch
	tensor   *weightfile.Tensor
	name     string
}

// roles are PyTorch's names for the roles of variables.
var roles = map[string]string{
	"kernel": "weight", "bias": "bias",
	"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}

// match finds the tensor of every variable, or says which is missing.
func (s scheme) match(g *architectures.Graph, prefix string, f *weightfile.File) ([]needed, error) {
	var all []needed
	for _, l := range g.Serving().Layers {
		input, err := g.Shape(beforeFlatten(g, l.Inputs[0]))
		if err != nil {
			return nil, err
		}
		for _, v := range l.Variables {
			role := v.Name[len(l.Name)+1:]
			module, ok := s.module(l.Name)
			if !ok || roles[role] == "" {
				return nil, fmt.Errorf("no name is known for %s", v.Name)
			}
			name := prefix + module + "." + roles[role]
			tensor := f.Tensors[name]
			if tensor == nil {
				return nil, fmt.Errorf("there is no %s", name)
			}
			all = append(all, needed{v, l, input, tensor, name})
		}
	}
	return all, nil
}

// beforeFlatten is the layer whose output a layer's input was before it was laid
// out as one row.
func beforeFlatten(g *architectures.Graph, name string) string {
	for {
		l, ok := g.Layer(name)
		if !ok {
			return name
		}
		switch l.Op.(type) {
		case architectures.Flatten, architectures.Dropout:
			name = l.Inputs[0]
		default:
			return name
		}
	}
}

func (s scheme) load(ctx context.Context, all []needed, f *weightfile.File) (*Loaded, error) {
	out := &Loaded{Scheme: s.name, Mode: s.mode, Unclear: s.unclear}
	used := map[string]bool{}
	for _, n := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w, err := n.weight()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		out.Weights, used[n.name] = append(out.Weights, w), true
	}
	slices.SortFunc(out.Weights, func(a, b *network.Weight) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range slices.Sorted(maps.Keys(f.Tensors)) {
		switch {
		case used[name]:
		case strings.HasSuffix(name, ".num_batches_tracked") || s.auxiliary != "" && strings.Contains("."+name, "."+s.auxiliary):
			out.Ignored = append(out.Ignored, name)
		default:
			return nil, fmt.Errorf("%w: the network has no place for %s", ErrNames, name)
		}
	}
	return out, nil
}

// weight reads a value and gives it TensorFlow's layout.
func (n needed) weight() (*network.Weight, error) {
	var order []int // which dimension of PyTorch's each of ours is
	shape := n.tensor.Shape
	switch n.layer.Op.(type) {
	case architectures.Conv:
		order = []int{2, 3, 1, 0}
	case architectures.Depthwise: // [channels, 1, height, width]
		order = []int{2, 3, 0, 1}
	case architectures.Dense:
		shape, order = n.dense()
	}
	if len(n.variable.Shape) == 1 {
		order = []int{0}
	}
	values, err := float32s(n.tensor)
	if err != nil {
		return nil, err
	}
	if len(order) != len(shape) {
		return nil, fmt.Errorf("its shape is %v, and the network has %v", n.tensor.Shape, n.variable.Shape)
	}
	moved := make([]int64, len(order))
	for i, d := range order {
		moved[i] = shape[d]
	}
	want := make([]int64, len(n.variable.Shape))
	for i, d := range n.variable.Shape {
		want[i] = int64(d)
	}
	if _, ok := n.layer.Op.(architectures.Dense); ok && len(moved) == 4 {
		moved = []int64{moved[0] * moved[1] * moved[2], moved[3]}
	}
	if !slices.Equal(moved, want) {
		return nil, fmt.Errorf("its shape is %v, and the network has %v", n.tensor.Shape, n.variable.Shape)
	}
	return &network.Weight{
		Name: n.variable.Name, DataType: tensorflow.Float32, Shape: want,
		Data: permute(values, shape, order), Trainable: n.variable.Trainable,
	}, nil
}

// dense is the kernel of a dense layer by the parts of its input. Behind a feature
// map, PyTorch lays that out channel by channel and TensorFlow pixel by pixel; timm
// keeps such a kernel as that of a convolution, [out, in, height, width].
func (n needed) dense() (shape []int64, order []int) {
	shape = n.tensor.Shape
	if len(shape) == 2 && len(n.input) == 3 {
		shape = []int64{shape[0], int64(n.input[2]), int64(n.input[0]), int64(n.input[1])}
		if shape[1]*shape[2]*shape[3] != n.tensor.Shape[1] {
			return n.tensor.Shape, nil
		}
	}
	if len(shape) == 4 {
		return shape, []int{2, 3, 1, 0}
	}
	return shape, []int{1, 0}
}
