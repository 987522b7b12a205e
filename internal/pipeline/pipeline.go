package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	stdimage "image"
	"image/jpeg"

	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// Pipeline turns encoded images into input tensors according to a description.
// It computes on the calling goroutines, one thread each, so that the number of
// images processed in parallel is the number of callers. It is safe for
// concurrent use; Close ends it.
//
// JPEGs are decoded by TensorFlow, the other formats by Go: PNG, the first
// frame of a GIF on its screen, BMP, and WebP. Grey is the luma of ITU-R
// BT.601, as in a JPEG. Transparency, the lower byte of 16-bit samples and the
// EXIF orientation are used only if the decode step requests it; colour
// profiles are never used.
//
// Plugin steps are called in between, one image at a time.
type Pipeline struct {
	description preprocessing.Preprocessing
	plan        plan
	height      int
	width       int
	channels    int
	views       int

	session  *tensorflow.Session
	branches map[int]branch     // by the ratio at which a JPEG is decoded
	deep     *tensorflow.Step   // float32 pixels → result, if the decode step sets the number of bits
	pieces   []*tensorflow.Step // pixels → result, after the plugins of plan.then

	before, between, after []*pluginStep // those of plan.before, then and after
}

// branch processes images decoded at one ratio. If plugins decode, there is one
// branch, of ratio 1, which has only rest.
type branch struct {
	whole  *tensorflow.Step // encoded JPEG → result
	decode *tensorflow.Step // encoded JPEG → pixels
	rest   *tensorflow.Step // pixels → result
}

// Compile creates the Pipeline of a description without plugins, ready to run.
func Compile(p preprocessing.Preprocessing) (*Pipeline, error) {
	return CompileWith(context.Background(), p, nil)
}

// CompileWith creates a description's Pipeline, ready to run, with its plugin
// steps opened by plugins, which may be nil. The context is used for this call
// only.
func CompileWith(ctx context.Context, p preprocessing.Preprocessing, plugins Plugins) (_ *Pipeline, err error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	pl := &Pipeline{description: p, plan: newPlan(p), views: p.Views(), branches: map[int]branch{}}
	pl.height, pl.width, pl.channels = p.Shape()
	defer func() {
		if err != nil {
			err = fmt.Errorf("compile preprocessing: %w", errors.Join(err, pl.Close()))
		}
	}()
	if plugins == nil {
		plugins = noPlugins{}
	}
	if err := pl.plug(ctx, plugins); err != nil {
		return nil, err
	}
	graph, err := tensorflow.ImportGraph(compile(pl.plan).def)
	if err != nil {
		return nil, err
	}
	defer graph.Close()
	pl.session, err = tensorflow.NewSession(graph, tensorflow.Config{
		Device: tensorflow.CPU, IntraOpThreads: 1, RunInCaller: true,
		// The optimizer would turn divisions into multiplications, whose
		// rounding differs, and has nothing else to optimise.
		DisableOptimizer: true,
	})
	if err != nil {
		return nil, err
	}
	if err := pl.open(); err != nil {
		return nil, err
	}
	return pl, pl.warm(ctx)
}

// plug opens the plugins.
func (p *Pipeline) plug(ctx context.Context, plugins Plugins) error {
	open := func(to *[]*pluginStep, g plugged) error {
		q, err := plugins.Open(ctx, g.step, g.takes)
		if err != nil {
			return err
		}
		*to = append(*to, &pluginStep{g, q})
		return nil
	}
	for _, g := range p.plan.before {
		if err := open(&p.before, g); err != nil {
			return err
		}
	}
	for _, t := range p.plan.then {
		if err := open(&p.between, t.plugged); err != nil {
			return err
		}
	}
	for _, g := range p.plan.after {
		if err := open(&p.after, g); err != nil {
			return err
		}
	}
	return nil
}

// open finds the graph's nodes.
func (p *Pipeline) open() error {
	step := func(feed, want string) (*tensorflow.Step, error) {
		return p.session.Step([]string{feed}, []string{want}, nil)
	}
	for i := range p.plan.then {
		s, err := step(pieceScope(i+1)+pixelsNode, pieceScope(i+1)+resultNode)
		if err != nil {
			return err
		}
		p.pieces = append(p.pieces, s)
	}
	if p.plan.decode == nil {
		s, err := step(pieceScope(0)+pixelsNode, pieceScope(0)+resultNode)
		p.branches[1] = branch{rest: s}
		return err
	}
	for _, ratio := range ratios(*p.plan.decode) {
		var b branch
		pixels, result := branchScope(ratio)+pixelsNode, branchScope(ratio)+resultNode
		for _, s := range []struct {
			step       **tensorflow.Step
			feed, want string
		}{{&b.whole, encodedNode, result}, {&b.decode, encodedNode, pixels}, {&b.rest, pixels, result}} {
			var err error
			if *s.step, err = step(s.feed, s.want); err != nil {
				return err
			}
		}
		p.branches[ratio] = b
	}
	if p.plan.decode.Bits > 0 {
		var err error
		p.deep, err = step(deepScope+pixelsNode, deepScope+resultNode)
		return err
	}
	return nil
}

// warm runs each step of the decoder once, since TensorFlow prepares a step on
// its first run.
func (p *Pipeline) warm(ctx context.Context) error {
	if p.plan.decode == nil {
		return nil
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, stdimage.NewGray(stdimage.Rect(0, 0, 8, 8)), nil); err != nil {
		return err
	}
	channels := p.plan.decode.Channels
	for _, b := range p.branches {
		in, err := tensorflow.FromStrings(nil, [][]byte{encoded.Bytes()})
		if err != nil {
			return err
		}
		defer in.Close()
		px, err := tensorflow.FromUint8([]int64{8, 8, int64(channels)}, make([]uint8, 64*channels))
		if err != nil {
			return err
		}
		defer px.Close()
		for _, r := range []struct {
			step *tensorflow.Step
			in   *tensorflow.Tensor
		}{{b.whole, in}, {b.decode, in}, {b.rest, px}} {
			out, err := r.step.Run(ctx, r.in)
			if err != nil {
				return err
			}
			out[0].Close()
		}
	}
	return nil
}

// Close waits for active images and closes the plugins.
func (p *Pipeline) Close() error {
	var errs []error
	for _, steps := range [][]*pluginStep{p.before, p.between, p.after} {
		for _, s := range steps {
			errs = append(errs, s.close())
		}
	}
	if p.session != nil {
		errs = append(errs, p.session.Close())
	}
	return errors.Join(errs...)
}

// Shape returns the size of an image's tensor.
func (p *Pipeline) Shape() (height, width, channels int) { return p.height, p.width, p.channels }

// Views returns the number of tensors of an image: 10 with a ten_crop,
// otherwise 1.
func (p *Pipeline) Views() int { return p.views }

// Elements returns the number of values of an image, over all its views.
func (p *Pipeline) Elements() int { return p.views * p.height * p.width * p.channels }

// Description returns the description from which the pipeline was compiled.
func (p *Pipeline) Description() preprocessing.Preprocessing { return p.description }
