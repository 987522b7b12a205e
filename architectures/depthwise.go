package architectures

import "fmt"

// Depthwise convolves each channel separately, with one filter.
type Depthwise struct {
	Window
	Init Init
}

func (d Depthwise) String() string { return fmt.Sprintf("%v depthwise", d.Window) }

func (d Depthwise) infer(in []Shape) (Shape, error) {
	if err := wantMap(in[0]); err != nil {
		return nil, err
	}
	v, h, err := d.Spans(in[0][0], in[0][1])
	if err != nil {
		return nil, err
	}
	return Shape{v.Out, h.Out, in[0].Channels()}, nil
}

// variables returns the kernel in the format of TensorFlow's operation. A unit
// of a channel has as many inputs and outputs as the window has positions.
func (d Depthwise) variables(in []Shape) []Variable {
	area := float64(d.Height * d.Width)
	return []Variable{{Name: "kernel", Shape: []int{d.Height, d.Width, in[0].Channels(), 1},
		Trainable: true, Decay: true, Init: d.Init.fans(area, area)}}
}
