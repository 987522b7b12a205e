package pipeline

import (
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// image is the tensor [1, height, width, channels] passed from one step to the
// next; after a ten_crop its first dimension is 10.
type image struct {
	tensor   string
	dataType tensorflow.DataType
	channels int
	// The size, if it does not depend on the image.
	height, width int
	// The size as a tensor int32 [height, width].
	size string
}

// steps appends the nodes of steps that work on pixels.
func (c *compiler) steps(im image, steps []preprocessing.Step) image {
	for _, s := range steps {
		switch {
		case s.Resize != nil:
			im = c.resize(im, *s.Resize)
		case s.Crop != nil:
			im = c.crop(im, *s.Crop)
		case s.TenCrop != nil:
			im = c.tenCrop(im, *s.TenCrop)
		case s.Pad != nil:
			im = c.pad(im, *s.Pad)
		case s.Grey != nil:
			im = c.grey(im, *s.Grey)
		}
	}
	return im
}

// resize is equivalent to tf.image.resize with the same kernel and antialias.
func (c *compiler) resize(im image, r preprocessing.Resize) image {
	out := image{dataType: tensorflow.Float32, channels: im.channels}
	switch r.Keep {
	case preprocessing.KeepShorter:
		out.size = c.scaled(im, r, "Maximum")
	case preprocessing.KeepLonger:
		out.size = c.scaled(im, r, "Minimum")
	default:
		out.size, out.height, out.width = c.ints([]int64{2}, int32(r.Height), int32(r.Width)), r.Height, r.Width
	}
	centred := attrs{"T": dataType(im.dataType), "half_pixel_centers": boolean(true)}
	switch {
	case r.Kernel == preprocessing.Nearest:
		out.tensor, out.dataType = c.add("ResizeNearestNeighbor", centred, im.tensor, out.size), im.dataType
	case r.Kernel == preprocessing.Area:
		out.tensor = c.add("ResizeArea", attrs{"T": dataType(im.dataType)}, im.tensor, out.size)
	case r.Kernel == preprocessing.Bilinear && !r.Antialias:
		out.tensor = c.add("ResizeBilinear", centred, im.tensor, out.size)
	case r.Kernel == preprocessing.Bicubic && !r.Antialias:
		out.tensor = c.add("ResizeBicubic", centred, im.tensor, out.size)
	default:
		out.tensor = c.add("ScaleAndTranslate", attrs{
			"T": dataType(im.dataType), "kernel_type": text(kernelType(r.Kernel)), "antialias": boolean(r.Antialias),
		}, im.tensor, out.size, c.scale(out.size, c.sizeOf(im)), c.floats(0, 0))
	}
	return out
}

// kernelType returns ScaleAndTranslate's name of a kernel.
func kernelType(kernel string) string {
	switch kernel {
	case preprocessing.Bilinear:
		return "triangle"
	case preprocessing.Bicubic:
		return "keyscubic"
	}
	return kernel
}

// scaled returns the size with im's aspect ratio that matches r on one side:
// with Maximum the smallest that covers r's height and width, with Minimum the
// largest that fits into them. h, w = max(H, ⌊h·W/w⌋), max(W, ⌊w·H/h⌋), as
// computed by Go's scaledSize, and at least 1.
func (c *compiler) scaled(im image, r preprocessing.Resize, pick string) string {
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
	other := c.add("FloorDiv", long, c.add("Mul", long, size, reversed(want)), reversed(size))
	chosen := cast(tensorflow.Int32, tensorflow.Int64, c.add(pick, long, want, other))
	return c.add("Maximum", attrs{"T": dataType(tensorflow.Int32)}, chosen, c.ints(nil, 1))
}

// scale returns the scale that tf.image.resize passes to ScaleAndTranslate.
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

// crop keeps the centre.
func (c *compiler) crop(im image, crop preprocessing.Crop) image {
	out := c.sized(im, crop.Height, crop.Width)
	out.tensor = c.window(im, out, c.half(c.margin(im, out)))
	return out
}

// tenCrop keeps the corners and the centre, and their mirror images.
func (c *compiler) tenCrop(im image, crop preprocessing.TenCrop) image {
	out := c.sized(im, crop.Height, crop.Width)
	margin := c.margin(im, out)
	whole := attrs{"T": dataType(tensorflow.Int32)}
	var five []string
	for _, corner := range [][2]int32{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		at := c.add("Mul", whole, margin, c.ints([]int64{2}, corner[0], corner[1]))
		five = append(five, c.window(im, out, at))
	}
	upright := c.concat(im.dataType, 0, append(five, c.window(im, out, c.half(margin)))...)
	mirrored := c.add("ReverseV2", attrs{"T": dataType(im.dataType), "Tidx": dataType(tensorflow.Int32)},
		upright, c.ints([]int64{1}, 2))
	out.tensor = c.concat(im.dataType, 0, upright, mirrored)
	return out
}

// sized returns im with another, known size.
func (c *compiler) sized(im image, height, width int) image {
	im.height, im.width, im.size = height, width, c.ints([]int64{2}, int32(height), int32(width))
	return im
}

// margin returns the difference of the sizes of im and out, int32 [height,
// width].
func (c *compiler) margin(im, out image) string {
	if im.height > 0 {
		return c.ints([]int64{2}, int32(im.height-out.height), int32(im.width-out.width))
	}
	return c.add("Sub", attrs{"T": dataType(tensorflow.Int32)}, c.sizeOf(im), out.size)
}

// half returns x/2, rounded down.
func (c *compiler) half(x string) string {
	return c.add("FloorDiv", attrs{"T": dataType(tensorflow.Int32)}, x, c.ints(nil, 2))
}

// window cuts a window of out's size out of im, beginning at [y, x].
func (c *compiler) window(im, out image, at string) string {
	zero := c.ints([]int64{1}, 0)
	begin := c.concat(tensorflow.Int32, 0, zero, at, zero)
	return c.slice(im.dataType, im.tensor, begin, c.ints([]int64{4}, 1, int32(out.height), int32(out.width), int32(im.channels)))
}

// pad puts im in the centre.
func (c *compiler) pad(im image, p preprocessing.Pad) image {
	out := c.sized(im, p.Height, p.Width)
	whole := attrs{"T": dataType(tensorflow.Int32)}
	padding := c.add("Sub", whole, out.size, c.sizeOf(im))
	before := c.half(padding)
	after := c.add("Sub", whole, padding, before)
	zero := c.ints([]int64{1}, 0)
	paddings := c.add("Pack", attrs{"T": dataType(tensorflow.Int32), "N": integer(2), "axis": integer(1)},
		c.concat(tensorflow.Int32, 0, zero, before, zero), c.concat(tensorflow.Int32, 0, zero, after, zero))
	value := c.add("Cast", attrs{"SrcT": dataType(tensorflow.Int32), "DstT": dataType(im.dataType)}, c.ints(nil, int32(p.Value)))
	out.tensor = c.add("PadV2", attrs{"T": dataType(im.dataType), "Tpaddings": dataType(tensorflow.Int32)}, im.tensor, paddings, value)
	return out
}

// grey is equivalent to tf.image.rgb_to_grayscale for floating-point images,
// with the same order of operations.
func (c *compiler) grey(im image, g preprocessing.Grey) image {
	float := attrs{"T": dataType(tensorflow.Float32)}
	reshape := func(x, shape string) string {
		return c.add("Reshape", attrs{"T": dataType(tensorflow.Float32), "Tshape": dataType(tensorflow.Int32)}, x, shape)
	}
	pixels := im.tensor
	if im.dataType != tensorflow.Float32 {
		pixels = c.add("Cast", attrs{"SrcT": dataType(im.dataType), "DstT": dataType(tensorflow.Float32)}, pixels)
	}
	rows := reshape(pixels, c.ints([]int64{2}, -1, 3))
	weights := reshape(c.floats(0.2989, 0.587, 0.114), c.ints([]int64{2}, 3, 1))
	luma := c.add("MatMul", float, rows, weights)
	one := c.ints([]int64{1}, 1)
	out := im
	out.size, out.dataType, out.channels = c.sizeOf(im), tensorflow.Float32, g.Channels
	out.tensor = reshape(luma, c.concat(tensorflow.Int32, 0, one, out.size, one))
	if g.Channels > 1 {
		out.tensor = c.concat(tensorflow.Float32, 3, out.tensor, out.tensor, out.tensor)
	}
	return out
}

func (c *compiler) concat(dt tensorflow.DataType, axis int32, x ...string) string {
	return c.add("ConcatV2", attrs{
		"T": dataType(dt), "Tidx": dataType(tensorflow.Int32), "N": integer(int64(len(x))),
	}, append(x, c.ints(nil, axis))...)
}
