// Package bases converts a pretrained network to a form on which a head can be
// trained: a network with one input, float32 images [N, height, width,
// channels], and one output.
//
// It first examines the signature: the inputs and outputs, their types, ranks
// and layouts. It makes conversions that are unambiguous, and reports them in
// notes. Everything else is refused with the remedy.
package bases

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tkit/internal/network"
	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

var (
	// ErrUnsuitable is wrapped by errors about networks that cannot be a base.
	ErrUnsuitable = errors.New("it cannot be a base")
	// ErrInput and ErrOutput are also wrapped if the user must choose an input or an
	// output.
	ErrInput  = errors.New("choose one of them")
	ErrOutput = errors.New("choose one of them")
)

// Options choose among a signature's inputs and outputs.
type Options struct {
	// Input names the input that takes the images. The default is the only
	// possible one.
	Input string
	// Output names the output to use. The default is the output that depends on
	// most of the network.
	Output string
	// Note, if set, is called with a sentence for each choice or change made.
	Note func(string)
}

func (o Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

// A Base is a prepared network.
type Base struct {
	Network *network.Network
	// Pixels means that the network expects integers from 0 to 255: a
	// preprocessing with other values is wrong.
	Pixels bool
}

// Accepts checks that a preprocessing gives what the base expects.
func (b *Base) Accepts(p preprocessing.Preprocessing) error {
	for _, step := range p.Steps {
		n := step.Normalise
		if n == nil || !b.Pixels || n.Mode == preprocessing.None || n.Mode == preprocessing.Range && n.Low == 0 && n.High == 255 {
			continue
		}
		return fmt.Errorf("%w: it takes integers from 0 to 255, but the preprocessing normalises them by %q; use %q",
			ErrUnsuitable, n.Mode, preprocessing.None)
	}
	return nil
}

// Prepare makes a base from a network. Close both.
func Prepare(n *network.Network, o Options) (_ *Base, err error) {
	p := &preparation{Options: o, network: n}
	defer func() {
		if err != nil && p.owned {
			err = errors.Join(err, p.network.Close())
		}
	}()
	b := &Base{}
	for _, step := range []func() error{p.output, p.input, p.float32, func() error { return p.pixels(b) }, p.batch, p.layout, p.sums} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	b.Network = p.network
	return b, nil
}

// A preparation is the state of converting a network. It owns its latest
// derived network.
type preparation struct {
	Options
	network *network.Network
	owned   bool
}

// become continues with a network derived from the current one.
func (p *preparation) become(next *network.Network, err error) error {
	if err != nil || next == p.network {
		return err
	}
	last := p.network
	p.network = next
	if p.owned {
		err = last.Close()
	}
	p.owned = true
	return err
}

func (p *preparation) output() error {
	name, err := chooseOutput(p.network, p.Options)
	if err != nil {
		return err
	}
	return p.become(p.network.Prune(name))
}

func (p *preparation) input() error {
	name, err := chooseInput(p.network, p.Options)
	if err != nil {
		return err
	}
	return p.become(alone(p.network, name, p.Options))
}

func (p *preparation) float32() error {
	wide, err := p.network.Float32()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	if wide != p.network {
		p.note("parts of it use float16, bfloat16 or float64: they are converted to float32, which tkit trains and serves in")
	}
	return p.become(wide, nil)
}

func (p *preparation) pixels(b *Base) error {
	in := p.network.Inputs[0]
	if b.Pixels = p.network.TakesPixels(""); b.Pixels {
		p.note("input %q takes %v: images are rounded to integers from 0 to 255", in.Name, in.DataType)
	}
	float, err := p.network.FromFloat32()
	if err != nil {
		return fmt.Errorf("%w: %w, and not float32 or uint8 images; export it with a float32 input, or with a Cast before it", ErrUnsuitable, err)
	}
	return p.become(float, nil)
}

func (p *preparation) batch() error {
	in := p.network.Inputs[0]
	open, err := p.network.AnyBatch()
	if err == nil && open != p.network {
		p.note("input %q takes %d images at a time: it is changed to take any number", in.Name, max(1, in.Shape[0]))
	}
	return p.become(open, err)
}

func (p *preparation) layout() error { return p.become(p.network.ChannelsLast()) }

func (p *preparation) sums() error {
	explicit, err := p.network.ExplicitSums()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	return p.become(explicit, nil)
}

// maxCompared bounds the outputs that are compared, each by a traversal of the
// graph. Detectors with many heads have some dozens.
const maxCompared = 256

// chooseOutput returns the requested output, or the main one.
func chooseOutput(n *network.Network, o Options) (string, error) {
	if o.Output != "" {
		p, err := n.Output(o.Output)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
		}
		if !real(p.DataType) {
			return "", fmt.Errorf("%w: output %q is %v, not a vector of real numbers; choose among %s", ErrUnsuitable, p.Name, p.DataType, listed(n.Outputs))
		}
		return p.Name, nil
	}
	if len(n.Outputs) > maxCompared {
		return "", fmt.Errorf("%w: it has %d outputs, more than the %d that can be compared; %w", ErrUnsuitable, len(n.Outputs), maxCompared, ErrOutput)
	}
	var chosen network.TensorInfo
	most, least := -1, 0
	for _, p := range n.Outputs {
		if !real(p.DataType) {
			continue
		}
		weights, nodes, err := n.Learned(p.Name)
		if err != nil {
			return "", err
		}
		if weights > most || weights == most && nodes < least {
			chosen, most, least = p, weights, nodes
		}
	}
	if most < 0 {
		return "", fmt.Errorf("%w: none of its outputs has real numbers: %s; export it with its scores or features as an output", ErrUnsuitable, listed(n.Outputs))
	}
	if len(n.Outputs) > 1 {
		o.note("of its outputs %s, %q is used: it depends on the most weights (%d)", listed(n.Outputs), chosen.Name, most)
	}
	return chosen.Name, nil
}

// chooseInput returns the requested input, or the only one that can take
// images.
func chooseInput(n *network.Network, o Options) (string, error) {
	if o.Input != "" {
		p, err := n.Input(o.Input)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
		}
		return p.Name, isImages(p)
	}
	var able []network.TensorInfo
	for _, p := range n.Inputs {
		if len(n.Inputs) == 1 || isImages(p) == nil {
			able = append(able, p)
		}
	}
	switch len(able) {
	case 0:
		return "", fmt.Errorf("%w: none of its inputs can take images: %s; export it with an input of float32 [N, height, width, channels]", ErrUnsuitable, listed(n.Inputs))
	case 1:
		return able[0].Name, isImages(able[0])
	}
	return "", fmt.Errorf("%w: several of its inputs can take images: %s; %w", ErrUnsuitable, listed(able), ErrInput)
}

// isImages returns why an input cannot take a batch of images.
func isImages(p network.TensorInfo) error {
	switch {
	case p.DataType == tensorflow.String:
		return fmt.Errorf("%w: input %q takes strings, encoded images; export the part after the decoding, with a float32 input [N, height, width, channels]", ErrUnsuitable, p.Name)
	case p.DataType == tensorflow.Bool:
		return fmt.Errorf("%w: input %q takes bool, not images", ErrUnsuitable, p.Name)
	case p.Shape != nil && len(p.Shape) != 4:
		return fmt.Errorf("%w: input %q has the shape %v; export it with a batch of images, [N, height, width, channels], as input", ErrUnsuitable, p.Name, p.Shape)
	}
	return nil
}

// alone returns the part of the network that depends only on that input.
func alone(n *network.Network, input string, o Options) (*network.Network, error) {
	if len(n.Inputs) == 0 {
		return nil, fmt.Errorf("%w: output %q depends on no input", ErrUnsuitable, n.Outputs[0].Name)
	}
	if len(n.Inputs) == 1 {
		return n, nil
	}
	before, err := n.Before(input)
	if err != nil {
		return nil, fmt.Errorf("%w: it has the inputs %s, and the values of the others are not known: %w; "+
			"export it with the images as the only input", ErrUnsuitable, listed(n.Inputs), err)
	}
	o.note("of its inputs %s, %q takes the images; the values of the others are not known, so only the part before they join is used, up to %s",
		listed(n.Inputs), input, before.Outputs[0].Name)
	return before, nil
}

// real reports whether a type is real numbers rather than an index or name.
func real(dt tensorflow.DataType) bool {
	return slices.Contains([]tensorflow.DataType{tensorflow.Float32, tensorflow.Float64, tensorflow.Float16, tensorflow.BFloat16}, dt)
}

// listed returns the names of tensors with types and shapes.
func listed(infos []network.TensorInfo) string {
	var all []string
	for _, p := range infos {
		all = append(all, fmt.Sprintf("%q (%v %v)", p.Name, p.DataType, p.Shape))
	}
	return strings.Join(all, ", ")
}
