package preprocessing

// Step is one operation: exactly one field is set.
//
// In JSON and YAML a step is an object of one key, such as
// {"resize": {"height": 224, "width": 224, "kernel": "bilinear"}}.
type Step struct {
	Decode    *Decode    `json:"decode,omitempty" yaml:"decode,omitempty"`
	Resize    *Resize    `json:"resize,omitempty" yaml:"resize,omitempty"`
	Crop      *Crop      `json:"crop,omitempty" yaml:"crop,omitempty"`
	TenCrop   *TenCrop   `json:"ten_crop,omitempty" yaml:"ten_crop,omitempty"`
	Pad       *Pad       `json:"pad,omitempty" yaml:"pad,omitempty"`
	Grey      *Grey      `json:"grey,omitempty" yaml:"grey,omitempty"`
	Normalise *Normalise `json:"normalise,omitempty" yaml:"normalise,omitempty"`
	Plugin    *Plugin    `json:"plugin,omitempty" yaml:"plugin,omitempty"`
}

// kinds lists the fields of a Step: the key of each, whether it is set, and how
// to set it to its zero value.
var kinds = []struct {
	key string
	set func(Step) bool
	new func(*Step) any
}{
	{"decode", func(s Step) bool { return s.Decode != nil }, func(s *Step) any { s.Decode = new(Decode); return s.Decode }},
	{"resize", func(s Step) bool { return s.Resize != nil }, func(s *Step) any { s.Resize = new(Resize); return s.Resize }},
	{"crop", func(s Step) bool { return s.Crop != nil }, func(s *Step) any { s.Crop = new(Crop); return s.Crop }},
	{"ten_crop", func(s Step) bool { return s.TenCrop != nil }, func(s *Step) any { s.TenCrop = new(TenCrop); return s.TenCrop }},
	{"pad", func(s Step) bool { return s.Pad != nil }, func(s *Step) any { s.Pad = new(Pad); return s.Pad }},
	{"grey", func(s Step) bool { return s.Grey != nil }, func(s *Step) any { s.Grey = new(Grey); return s.Grey }},
	{"normalise", func(s Step) bool { return s.Normalise != nil }, func(s *Step) any { s.Normalise = new(Normalise); return s.Normalise }},
	{"plugin", func(s Step) bool { return s.Plugin != nil }, func(s *Step) any { s.Plugin = new(Plugin); return s.Plugin }},
}

// DefaultMaxPixels bounds the decoded size if a description sets no bound.
const DefaultMaxPixels int64 = 64 << 20

// Decode turns the encoded bytes into pixels of 8 bits per sample, or more with
// Bits. Colour profiles are not applied.
type Decode struct {
	// Channels is 1 (grey) or 3 (red, green, blue).
	Channels int `json:"channels" yaml:"channels"`
	// MaxPixels is the bound above which an image is refused before it is
	// decoded. Zero means DefaultMaxPixels.
	MaxPixels int64 `json:"max_pixels,omitempty" yaml:"max_pixels,omitempty"`
	// JPEGScale decodes a JPEG at 1/2, 1/4 or 1/8 of its size if the result
	// still covers the size of the first resize.
	JPEGScale bool `json:"jpeg_scale,omitempty" yaml:"jpeg_scale,omitempty"`
	// Orientation applies the image's EXIF orientation.
	Orientation bool `json:"orientation,omitempty" yaml:"orientation,omitempty"`
	// Bits is the number of significant bits of 16-bit samples, from 8 to 16:
	// 12 for a 12-bit camera. 2^bits − 1 becomes 255 and smaller values are
	// scaled proportionally, as a float32; an image with a greater sample is
	// refused. Zero keeps the upper 8 of the 16 bits. 8-bit images are
	// unchanged.
	Bits int `json:"bits,omitempty" yaml:"bits,omitempty"`
	// Background is one level per channel, from 0 to 255, onto which
	// transparent pixels are blended. If empty, transparency is dropped: the
	// colour stored in the file remains, often black.
	Background []int `json:"background,omitempty" yaml:"background,omitempty,flow"`
}

// Bound returns the number of pixels above which an image is refused.
func (d Decode) Bound() int64 {
	if d.MaxPixels == 0 {
		return DefaultMaxPixels
	}
	return d.MaxPixels
}

// The kernels of a resize, as in tf.image.resize, all with half-pixel centres.
const (
	Bilinear = "bilinear" // a triangle of radius 1
	Nearest  = "nearest"
	Bicubic  = "bicubic" // Keys (1981) with a = −0.5
	Area     = "area"    // the mean of the pixels covered
	Lanczos3 = "lanczos3"
	Lanczos5 = "lanczos5"
	Gaussian = "gaussian"      // radius 1.5, deviation 0.5
	Mitchell = "mitchellcubic" // Mitchell and Netravali (1988) with B = C = 1/3
)

// Kernels lists the kernels of a resize.
func Kernels() []string {
	return []string{Bilinear, Nearest, Bicubic, Area, Lanczos3, Lanczos5, Gaussian, Mitchell}
}

// How a resize keeps the aspect ratio of an image.
const (
	// KeepShorter scales the image until it just covers height × width: the
	// shorter side fits and the longer one exceeds it. A crop must follow.
	KeepShorter = "shorter"
	// KeepLonger scales the image until it just fits into height × width: the
	// longer side fits. A pad must follow.
	KeepLonger = "longer"
)

// Resize scales the image to Height × Width pixels.
type Resize struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
	// Kernel is one of Kernels.
	Kernel string `json:"kernel" yaml:"kernel"`
	// Antialias widens the kernel when the image shrinks.
	Antialias bool `json:"antialias,omitempty" yaml:"antialias,omitempty"`
	// Keep is empty (the aspect ratio is not kept), KeepShorter or KeepLonger.
	Keep string `json:"keep,omitempty" yaml:"keep,omitempty"`
}

// Crop keeps the central Height × Width pixels. With an odd margin, the extra
// pixel is below and to the right: the offset is rounded down.
type Crop struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
}

// TenCrop makes ten tensors from an image: the Height × Width pixels at its top
// left, top right, bottom left, bottom right and centre, and the same five
// mirrored left to right. Krizhevsky, Sutskever, Hinton, "ImageNet
// Classification with Deep Convolutional Neural Networks", 2012, §4.1.
//
// The paper averages the ten predictions; tkit averages the ten bottlenecks, so
// that the head is trained on the same mean that it gets when served. For a
// head that is linear before its softmax this is the mean of the logits, that
// is the normalised geometric mean of the ten predictions.
type TenCrop struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
}

// Pad puts the image in the middle of Height × Width pixels. With an odd
// margin, the extra pixel is below and to the right.
type Pad struct {
	Height int `json:"height" yaml:"height"`
	Width  int `json:"width" yaml:"width"`
	// Value is the grey level around the image, from 0 to 255.
	Value int `json:"value,omitempty" yaml:"value,omitempty"`
}

// Grey removes the colour: 0.2989·R + 0.587·G + 0.114·B, as in
// tf.image.rgb_to_grayscale for floating-point images.
type Grey struct {
	// Channels is 1, or 3 equal ones for networks that need three.
	Channels int `json:"channels" yaml:"channels"`
}

// The modes of a normalise step. x is a pixel value from 0 to 255. The first
// three are those of imagenet_utils.preprocess_input in Keras.
const (
	// Caffe swaps red and blue and subtracts the ImageNet means
	// (103.939, 116.779, 123.68).
	Caffe = "caffe"
	// TF is x/127.5 − 1: from −1 to 1.
	TF = "tf"
	// Torch is (x/255 − mean)/deviation with the means (0.485, 0.456, 0.406)
	// and the deviations (0.229, 0.224, 0.225).
	Torch = "torch"
	// Unit is x/255: from 0 to 1, as in TensorFlow Hub's common image
	// signature.
	Unit = "unit"
	// None leaves the values unchanged.
	None = "none"
	// Range is low + x·(high − low)/255.
	Range = "range"
	// Standard is (x/255 − mean)/deviation, channel by channel.
	Standard = "standard"
)

// modes lists the modes of a normalise.
func modes() []string { return []string{Caffe, TF, Torch, Unit, None, Range, Standard} }

// Normalise maps pixel values to the range that the network was trained on.
type Normalise struct {
	// Mode is Caffe, TF, Torch, Unit, None, Range or Standard.
	Mode string `json:"mode" yaml:"mode"`
	// Low and High are for Range.
	Low  float32 `json:"low,omitempty" yaml:"low,omitempty"`
	High float32 `json:"high,omitempty" yaml:"high,omitempty"`
	// Mean and Deviation are for Standard: one value per channel.
	Mean      []float32 `json:"mean,omitempty" yaml:"mean,omitempty,flow"`
	Deviation []float32 `json:"deviation,omitempty" yaml:"deviation,omitempty,flow"`
}
