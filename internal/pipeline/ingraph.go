package pipeline

import (
	"errors"
	"fmt"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"

	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// ErrNotInGraph is wrapped by errors about a description that cannot be
// executed by a TensorFlow graph alone.
var ErrNotInGraph = errors.New("cannot be done inside a graph")

// InGraph is a description as a piece of a TensorFlow graph, for programs
// without tkit.
type InGraph struct {
	Nodes []*nodepb.NodeDef // all names begin with the scope
	// Input is a batch of encoded images, string [-1]; Output is the batch of
	// their tensors, float32 [-1, height, width, channels].
	Input, Output network.TensorInfo
}

// NewInGraph converts a description to nodes below scope, which ends in a
// slash. It processes the images of a batch one by one, several iterations in
// parallel, in a loop of TensorFlow 1 that needs no functions.
//
// JPEGs have the same result as with a Pipeline. TensorFlow decodes the other
// formats itself: PNG, the first frame of a GIF, BMP of 24 and 32 bits; no
// WebP. It converts coloured PNGs to grey by another formula than a Pipeline.
// An image that cannot be decoded fails the whole batch, and the number of
// pixels is not limited.
//
// Plugin steps, the EXIF orientation, bits, a background and a ten_crop are
// refused with ErrNotInGraph.
func NewInGraph(p preprocessing.Preprocessing, scope string) (*InGraph, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	for i, s := range p.Steps {
		switch {
		case s.Plugin != nil:
			return nil, fmt.Errorf("preprocessing step %d (plugin %s) %w: a plugin is a separate program", i+1, s.Plugin, ErrNotInGraph)
		case s.Decode != nil && s.Decode.Orientation:
			return nil, fmt.Errorf("preprocessing step %d (decode) %w: TensorFlow has no operation that reads the EXIF orientation", i+1, ErrNotInGraph)
		case s.Decode != nil && (s.Decode.Bits > 0 || len(s.Decode.Background) > 0):
			return nil, fmt.Errorf("preprocessing step %d (decode) %w: TensorFlow's decoder has neither bits nor a background", i+1, ErrNotInGraph)
		case s.TenCrop != nil:
			return nil, fmt.Errorf("preprocessing step %d (ten_crop) %w: the mean of the bottlenecks is inside the network", i+1, ErrNotInGraph)
		}
	}
	height, width, channels := p.Shape()
	shape := []int64{int64(height), int64(width), int64(channels)}

	c := newCompiler()
	c.scope = scope
	c.name = scope + "image_bytes"
	images := c.add("Placeholder", attrs{"dtype": dataType(tensorflow.String), "shape": shapeOf(-1)})
	output := c.each(images, shape, func(encoded string) string {
		pl := newPlan(p)
		im := image{dataType: tensorflow.Uint8, channels: pl.decode.Channels}
		im.tensor = c.add("ExpandDims", attrs{"T": dataType(im.dataType), "Tdim": dataType(tensorflow.Int32)},
			c.decodeAny(encoded, pl), c.ints(nil, 0))
		im = c.steps(im, pl.first.steps)
		values := c.add("Cast", attrs{"SrcT": dataType(im.dataType), "DstT": dataType(tensorflow.Float32)}, im.tensor)
		values = c.normalise(values, pl.normalise)
		return c.add("Squeeze", attrs{"T": dataType(tensorflow.Float32), "squeeze_dims": integers(0)}, values)
	})
	return &InGraph{
		Nodes:  c.def.Node,
		Input:  network.TensorInfo{Name: "image_bytes", Tensor: images + ":0", DataType: tensorflow.String, Shape: []int64{-1}},
		Output: network.TensorInfo{Name: "images", Tensor: output + ":0", DataType: tensorflow.Float32, Shape: append([]int64{-1}, shape...)},
	}, nil
}

// each appends a loop that calls body's nodes with each element of a vector of
// strings, and returns the stack of the results, tensors of one shape. It is
// tf.while_loop of TensorFlow 1 over a TensorArray: a value enters the frame of
// the loop, circulates through Merge, Switch and NextIteration, and exits.
func (c *compiler) each(elements string, shape []int64, body func(element string) string) string {
	one := attrs{"T": dataType(tensorflow.Int32)}
	enter := func(x string, dt tensorflow.DataType, constant bool) string {
		return c.add("Enter", attrs{"T": dataType(dt), "frame_name": text(c.scope + "loop"),
			"is_constant": boolean(constant), "parallel_iterations": integer(16)}, x)
	}
	// around creates a variable of the loop: its value for the condition, a
	// function that returns its value in the body and its exit once the
	// condition is known, and one to set its next value.
	type variable struct {
		dt          tensorflow.DataType
		merge, next string
	}
	begin := func(x string, dt tensorflow.DataType) variable {
		v := variable{dt: dt, next: fmt.Sprintf("%snext_%d", c.scope, len(c.def.Node))}
		v.merge = c.add("Merge", attrs{"T": dataType(dt), "N": integer(2)}, enter(x, dt, false), v.next)
		return v
	}
	turn := func(v variable, condition string) (inside, exit string) {
		way := c.add("Switch", attrs{"T": dataType(v.dt)}, v.merge, condition)
		return c.add("Identity", attrs{"T": dataType(v.dt)}, way+":1"), c.add("Exit", attrs{"T": dataType(v.dt)}, way)
	}
	set := func(v variable, x string) {
		c.name = v.next
		c.add("NextIteration", attrs{"T": dataType(v.dt)}, x)
	}

	zero, step := c.ints(nil, 0), c.ints(nil, 1)
	count := c.add("Size", attrs{"T": dataType(tensorflow.String), "out_type": dataType(tensorflow.Int32)}, elements)
	array := c.add("TensorArrayV3", attrs{"dtype": dataType(tensorflow.Float32), "element_shape": shapeOf(shape...),
		"identical_element_shapes": boolean(true)}, count)

	index, flow := begin(zero, tensorflow.Int32), begin(array+":1", tensorflow.Float32)
	more := c.add("LoopCond", nil, c.add("Less", one, index.merge, enter(count, tensorflow.Int32, true)))
	i, _ := turn(index, more)
	written, end := turn(flow, more)

	c.control = i // constants belong to the iteration too
	set(index, c.add("AddV2", one, i, c.ints(nil, 1)))
	element := c.add("GatherV2", attrs{"Tparams": dataType(tensorflow.String), "Tindices": dataType(tensorflow.Int32),
		"Taxis": dataType(tensorflow.Int32)}, enter(elements, tensorflow.String, true), i, c.ints(nil, 0))
	set(flow, c.add("TensorArrayWriteV3", attrs{"T": dataType(tensorflow.Float32)},
		enter(array, tensorflow.Resource, true), i, body(element), written))
	c.control = ""

	all := c.add("Range", attrs{"Tidx": dataType(tensorflow.Int32)}, zero, count, step)
	return c.add("TensorArrayGatherV3", attrs{"dtype": dataType(tensorflow.Float32), "element_shape": shapeOf(shape...)}, array, all, end)
}

// decodeAny appends a decoder for all formats that TensorFlow supports, uint8
// [height, width, channels].
func (c *compiler) decodeAny(encoded string, p plan) string {
	channels := p.decode.Channels
	other := func(encoded string) string {
		return c.add("DecodeImage", attrs{"channels": integer(int64(channels)), "dtype": dataType(tensorflow.Uint8),
			"expand_animations": boolean(false)}, encoded)
	}
	if !p.decode.JPEGScale {
		return other(encoded)
	}
	pick := func(x, condition string) (yes, no string) {
		way := c.add("Switch", attrs{"T": dataType(tensorflow.String)}, x, condition)
		return way + ":1", way
	}
	jpeg, rest := pick(encoded, c.isJPEG(encoded))
	size := c.slice(tensorflow.Int32, c.add("ExtractJpegShape", attrs{"output_type": dataType(tensorflow.Int32)}, jpeg),
		c.ints([]int64{1}, 0), c.ints([]int64{1}, 2))
	decoded := []string{other(rest)}
	for _, ratio := range []int{8, 4, 2} {
		var scaled string
		scaled, jpeg = pick(jpeg, c.covers(size, ratio, p))
		decoded = append(decoded, c.decodeJPEG(channels, ratio, scaled))
	}
	decoded = append(decoded, c.decodeJPEG(channels, 1, jpeg))
	return c.add("Merge", attrs{"T": dataType(tensorflow.Uint8), "N": integer(int64(len(decoded)))}, decoded...)
}

// isJPEG reports whether encoded begins with a JPEG's start of image. Substr
// fails for a shorter string, as the decoder would.
func (c *compiler) isJPEG(encoded string) string {
	start := c.add("Substr", attrs{"T": dataType(tensorflow.Int32), "unit": text("BYTE")}, encoded, c.ints(nil, 0), c.ints(nil, 2))
	return c.add("Equal", attrs{"T": dataType(tensorflow.String)}, start, c.bytes("\xff\xd8"))
}

// covers reports whether a JPEG of the given size, decoded at 1/ratio, covers
// the size required by the first resize, like ratio in run.go.
func (c *compiler) covers(size string, ratio int, p plan) string {
	var height, width int32
	for _, s := range p.first.steps {
		if s.Resize != nil {
			height, width = int32(s.Resize.Height), int32(s.Resize.Width)
			break
		}
	}
	whole := attrs{"T": dataType(tensorflow.Int32)}
	up := c.add("AddV2", whole, size, c.ints(nil, int32(ratio-1)))
	scaled := c.add("FloorDiv", whole, up, c.ints(nil, int32(ratio)))
	enough := c.add("GreaterEqual", whole, scaled, c.ints([]int64{2}, height, width))
	return c.add("All", attrs{"Tidx": dataType(tensorflow.Int32)}, enough, c.ints([]int64{1}, 0))
}

// normalise does the same as the function normalise, in the same order of
// operations.
func (c *compiler) normalise(x string, n preprocessing.Normalise) string {
	float := attrs{"T": dataType(tensorflow.Float32)}
	scalar := func(v float32) string { return c.floatsOf([]int64{}, v) }
	switch n.Mode {
	case preprocessing.Caffe:
		x = c.add("ReverseV2", attrs{"T": dataType(tensorflow.Float32), "Tidx": dataType(tensorflow.Int32)}, x, c.ints([]int64{1}, 3))
		return c.add("Sub", float, x, c.floats(caffeMean[:]...))
	case preprocessing.TF:
		return c.add("Sub", float, c.add("RealDiv", float, x, scalar(127.5)), scalar(1))
	case preprocessing.Torch:
		return c.standard(x, torchMean[:], torchDeviation[:])
	case preprocessing.Unit:
		return c.add("RealDiv", float, x, scalar(255))
	case preprocessing.Range:
		return c.add("AddV2", float, c.add("Mul", float, x, scalar((n.High-n.Low)/255)), scalar(n.Low))
	case preprocessing.Standard:
		return c.standard(x, n.Mean, n.Deviation)
	}
	return x
}

func (c *compiler) standard(x string, mean, deviation []float32) string {
	float := attrs{"T": dataType(tensorflow.Float32)}
	unit := c.add("RealDiv", float, x, c.floatsOf([]int64{}, 255))
	return c.add("RealDiv", float, c.add("Sub", float, unit, c.floats(mean...)), c.floats(deviation...))
}

func shapeOf(dims ...int64) *attrpb.AttrValue {
	p := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: p}}
}
