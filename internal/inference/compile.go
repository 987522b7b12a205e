package inference

import (
	"encoding/binary"
	"fmt"
	"math"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	versionspb "github.com/wamuir/graft/tensorflow/core/framework/versions_go_proto"

	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// The nodes of a compiled graph that are fed and fetched. "encoded" is a scalar
// string; each ratio at which JPEGs are decoded has a branch of its own, in
// which "pixels" is uint8 [height, width, channels] and "result" is float32
// [1, height, width, channels], all steps done but the last, to normalise.
const encodedNode = "encoded"

func pixelsNode(ratio int) string { return fmt.Sprintf("ratio%d/pixels", ratio) }
func resultNode(ratio int) string { return fmt.Sprintf("ratio%d/result", ratio) }

// ratios are the fractions 1/r that a JPEG is decoded at without further cost.
func ratios(p preprocessing.Preprocessing) []int {
	if p.Decoding().JPEGScale {
		return []int{1, 2, 4, 8}
	}
	return []int{1}
}

// compile lays a valid description out as one graph.
func compile(p preprocessing.Preprocessing) *graphpb.GraphDef {
	c := &compiler{def: &graphpb.GraphDef{Versions: &versionspb.VersionDef{Producer: 1882}}}
	c.name = encodedNode
	c.add("Placeholder", attrs{"dtype": dataType(tensorflow.String), "shape": scalarShape()})
	for _, ratio := range ratios(p) {
		c.branch(p, ratio)
	}
	return c.def
}

type attrs = map[string]*attrpb.AttrValue

// compiler appends nodes to a graph.
type compiler struct {
	def   *graphpb.GraphDef
	scope string
	name  string // of the next node; made from its operation when empty
}

// image is the tensor [1, height, width, channels] that a step hands to the
// next.
type image struct {
	tensor   string
	dataType tensorflow.DataType
	channels int
	// The size, where it does not depend on the image.
	height, width int
	// The size as a tensor int32 [height, width].
	size string
}

func (c *compiler) branch(p preprocessing.Preprocessing, ratio int) {
	c.scope = fmt.Sprintf("ratio%d/", ratio)
	channels := p.Decoding().Channels
	c.name = pixelsNode(ratio)
	pixels := c.add("DecodeJpeg", attrs{
		"channels":              integer(int64(channels)),
		"ratio":                 integer(int64(ratio)),
		"fancy_upscaling":       boolean(true),
		"acceptable_fraction":   floating(1),
		"try_recover_truncated": boolean(false),
		// TensorFlow's own default, by which tf.io.decode_image and so the
		// Keras image datasets that networks are trained on decode; it
		// differs from INTEGER_ACCURATE by up to 5 grey levels.
		"dct_method": text("INTEGER_FAST"),
	}, encodedNode)
	im := image{dataType: tensorflow.Uint8, channels: channels}
	im.tensor = c.add("ExpandDims", attrs{"T": dataType(im.dataType), "Tdim": dataType(tensorflow.Int32)},
		pixels, c.ints(nil, 0))
	for _, s := range p.Steps[1:] {
		switch {
		case s.Resize != nil:
			im = c.resize(im, *s.Resize)
		case s.Crop != nil:
			im = c.crop(im, *s.Crop)
		}
	}
	c.name = resultNode(ratio)
	c.add("Cast", attrs{"SrcT": dataType(im.dataType), "DstT": dataType(tensorflow.Float32)}, im.tensor)
}

// resize does as tf.image.resize does for the same kernel and antialias.
func (c *compiler) resize(im image, r preprocessing.Resize) image {
	size, height, width := c.ints([]int64{2}, int32(r.Height), int32(r.Width)), r.Height, r.Width
	if r.Keep == preprocessing.KeepShorter {
		size, height, width = c.cover(im, r), 0, 0
	}
	out := image{dataType: tensorflow.Float32, channels: im.channels, height: height, width: width, size: size}
	centred := attrs{"T": dataType(im.dataType), "half_pixel_centers": boolean(true)}
	kernels := map[string]string{preprocessing.Bilinear: "triangle", preprocessing.Bicubic: "keyscubic"}
	switch {
	case r.Antialias:
		out.tensor = c.add("ScaleAndTranslate", attrs{
			"T": dataType(im.dataType), "kernel_type": text(kernels[r.Kernel]), "antialias": boolean(true),
		}, im.tensor, size, c.scale(size, c.sizeOf(im)), c.floats(0, 0))
	case r.Kernel == preprocessing.Bilinear:
		out.tensor = c.add("ResizeBilinear", centred, im.tensor, size)
	case r.Kernel == preprocessing.Bicubic:
		out.tensor = c.add("ResizeBicubic", centred, im.tensor, size)
	case r.Kernel == preprocessing.Nearest:
		out.tensor, out.dataType = c.add("ResizeNearestNeighbor", centred, im.tensor, size), im.dataType
	case r.Kernel == preprocessing.Area:
		out.tensor = c.add("ResizeArea", attrs{"T": dataType(im.dataType)}, im.tensor, size)
	}
	return out
}

// cover is the least size of im's aspect that covers r's height and width:
// h, w = max(H, ⌊h·W/w⌋), max(W, ⌊w·H/h⌋), as Go's covering works it out.
func (c *compiler) cover(im image, r preprocessing.Resize) string {
	long := attrs{"T": dataType(tensorflow.Int64)}
	cast := func(to, from tensorflow.DataType, x string) string {
		return c.add("Cast", attrs{"SrcT": dataType(from), "DstT": dataType(to)}, x)
	}
	reversed := func(x string) string {
		return c.add("ReverseV2", attrs{"T": dataType(tensorflow.Int64), "Tidx": dataType(tensorflow.Int32)},
			x, c.ints([]int64{1}, 0))
	}
	size := cast(tensorflow.Int64, tensorflow.Int32, c.sizeOf(im))
	want := cast(tensorflow.Int64, tensorflow.Int32, c.ints([]int64{2}, int32(r.Height), int32(r.Width)))
	scaled := c.add("FloorDiv", long, c.add("Mul", long, size, reversed(want)), reversed(size))
	return cast(tensorflow.Int32, tensorflow.Int64, c.add("Maximum", long, want, scaled))
}

// scale is what tf.image.resize gives to ScaleAndTranslate.
func (c *compiler) scale(to, from string) string {
	float := func(x string) string {
		return c.add("Cast", attrs{"SrcT": dataType(tensorflow.Int32), "DstT": dataType(tensorflow.Float32)}, x)
	}
	return c.add("RealDiv", attrs{"T": dataType(tensorflow.Float32)}, float(to), float(from))
}

func (c *compiler) sizeOf(im image) string {
	if im.size != "" {
		return im.size
	}
	shape := c.add("Shape", attrs{"T": dataType(im.dataType), "out_type": dataType(tensorflow.Int32)}, im.tensor)
	return c.slice(tensorflow.Int32, shape, c.ints([]int64{1}, 1), c.ints([]int64{1}, 2))
}

func (c *compiler) slice(dt tensorflow.DataType, x, begin, size string) string {
	return c.add("Slice", attrs{"T": dataType(dt), "Index": dataType(tensorflow.Int32)}, x, begin, size)
}

func (c *compiler) crop(im image, crop preprocessing.Crop) image {
	out := image{
		dataType: im.dataType, channels: im.channels, height: crop.Height, width: crop.Width,
		size: c.ints([]int64{2}, int32(crop.Height), int32(crop.Width)),
	}
	var begin string
	if im.height > 0 {
		begin = c.ints([]int64{4}, 0, int32((im.height-crop.Height)/2), int32((im.width-crop.Width)/2), 0)
	} else {
		whole := attrs{"T": dataType(tensorflow.Int32)}
		margin := c.add("Sub", whole, c.sizeOf(im), out.size)
		half := c.add("FloorDiv", whole, margin, c.ints(nil, 2))
		zero := c.ints([]int64{1}, 0)
		begin = c.add("ConcatV2", attrs{
			"T": dataType(tensorflow.Int32), "Tidx": dataType(tensorflow.Int32), "N": integer(3),
		}, zero, half, zero, c.ints(nil, 0))
	}
	size := c.ints([]int64{4}, 1, int32(crop.Height), int32(crop.Width), int32(im.channels))
	out.tensor = c.slice(im.dataType, im.tensor, begin, size)
	return out
}

// add appends a node and returns its name.
func (c *compiler) add(op string, a attrs, inputs ...string) string {
	name := c.name
	if name == "" {
		name = fmt.Sprintf("%s%s_%d", c.scope, op, len(c.def.Node))
	}
	c.name = ""
	c.def.Node = append(c.def.Node, &nodepb.NodeDef{Name: name, Op: op, Input: inputs, Attr: a})
	return name
}

// ints appends an int32 constant; nil is the shape of a scalar.
func (c *compiler) ints(shape []int64, v ...int32) string {
	var raw []byte
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(i))
	}
	return c.constant(tensorflow.Int32, shape, raw)
}

// floats appends a float32 vector.
func (c *compiler) floats(v ...float32) string {
	var raw []byte
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return c.constant(tensorflow.Float32, []int64{int64(len(v))}, raw)
}

func (c *compiler) constant(dt tensorflow.DataType, shape []int64, raw []byte) string {
	p := &shapepb.TensorShapeProto{}
	for _, d := range shape {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	value := &tensorpb.TensorProto{Dtype: typespb.DataType(dt), TensorShape: p, TensorContent: raw}
	return c.add("Const", attrs{
		"dtype": dataType(dt),
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: value}},
	})
}

func dataType(dt tensorflow.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType(dt)}}
}

func integer(v int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: v}}
}

func floating(v float32) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_F{F: v}}
}

func boolean(v bool) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: v}}
}

func text(v string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(v)}}
}

func scalarShape() *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: &shapepb.TensorShapeProto{}}}
}
