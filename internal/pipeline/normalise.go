package pipeline

import "tkit/internal/preprocessing"

// The statistics of ImageNet's training images: Caffe's are blue, green, red in
// grey levels, Torch's red, green, blue in the unit range.
var (
	caffeMean      = [3]float32{103.939, 116.779, 123.68}
	torchMean      = [3]float32{0.485, 0.456, 0.406}
	torchDeviation = [3]float32{0.229, 0.224, 0.225}
)

// normalise is the last step, done while the pixels are copied into their
// batch: as operations of the graph, each with a separate result, it took as
// long as the resize. It has the same order of operations as
// keras.applications.imagenet_utils.preprocess_input, so that the rounding is
// the same.
func normalise(n preprocessing.Normalise, dst, src []float32) {
	dst = dst[:len(src)]
	switch n.Mode {
	case preprocessing.Caffe:
		for ; len(src) >= 3; dst, src = dst[3:], src[3:] {
			dst[0] = src[2] - caffeMean[0]
			dst[1] = src[1] - caffeMean[1]
			dst[2] = src[0] - caffeMean[2]
		}
	case preprocessing.TF:
		for i, v := range src {
			dst[i] = v/127.5 - 1
		}
	case preprocessing.Torch:
		for ; len(src) >= 3; dst, src = dst[3:], src[3:] {
			dst[0] = (src[0]/255 - torchMean[0]) / torchDeviation[0]
			dst[1] = (src[1]/255 - torchMean[1]) / torchDeviation[1]
			dst[2] = (src[2]/255 - torchMean[2]) / torchDeviation[2]
		}
	case preprocessing.Unit:
		for i, v := range src {
			dst[i] = v / 255
		}
	case preprocessing.Range:
		scale := (n.High - n.Low) / 255
		for i, v := range src {
			dst[i] = v*scale + n.Low
		}
	case preprocessing.Standard:
		for channels := len(n.Mean); len(src) >= channels; dst, src = dst[channels:], src[channels:] {
			for c, mean := range n.Mean {
				dst[c] = (src[c]/255 - mean) / n.Deviation[c]
			}
		}
	default:
		copy(dst, src)
	}
}
