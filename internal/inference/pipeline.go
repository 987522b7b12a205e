package inference

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

// Pipeline turns encoded images into input tensors as one description says. It
// computes on the goroutines that call it, one thread each, so as many images
// are under way as there are callers. Safe for concurrent use; Close ends it.
//
// JPEGs are decoded by TensorFlow, the other formats by Go: PNG, the first frame
// of a GIF on its screen, BMP, and WebP. Transparency is dropped, 16-bit samples
// keep their upper byte, grey is the luma of ITU-R BT.601, as in a JPEG.
type Pipeline struct {
	description preprocessing.Preprocessing
	session     *tensorflow.Session
	branches    map[int]branch // by the ratio at which a JPEG is decoded
}

// branch is the way of images decoded at one ratio.
type branch struct {
	whole  *tensorflow.Step // encoded JPEG → result
	decode *tensorflow.Step // encoded JPEG → pixels
	rest   *tensorflow.Step // pixels → result
}

// Compile makes a description's Pipeline, ready to run.
func Compile(p preprocessing.Preprocessing) (*Pipeline, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	graph, err := tensorflow.ImportGraph(compile(p))
	if err != nil {
		return nil, fmt.Errorf("compile preprocessing: %w", err)
	}
	defer graph.Close()
	session, err := tensorflow.NewSession(graph, tensorflow.Config{
		IntraOpThreads: 1, RunInCaller: true,
		// The optimizer turns divisions into multiplications, whose rounding
		// differs, and finds nothing else to do.
		DisableOptimizer: true,
	})
	if err != nil {
		return nil, fmt.Errorf("compile preprocessing: %w", err)
	}
	pl := &Pipeline{description: p, session: session, branches: map[int]branch{}}
	if err := pl.open(); err != nil {
		return nil, fmt.Errorf("compile preprocessing: %w", errors.Join(err, pl.Close()))
	}
	return pl, nil
}

func (p *Pipeline) open() error {
	for _, ratio := range ratios(p.description) {
		var b branch
		for _, s := range []struct {
			step       **tensorflow.Step
			feed, want string
		}{
			{&b.whole, encodedNode, resultNode(ratio)},
			{&b.decode, encodedNode, pixelsNode(ratio)},
			{&b.rest, pixelsNode(ratio), resultNode(ratio)},
		} {
			var err error
			if *s.step, err = p.session.Step([]string{s.feed}, []string{s.want}, nil); err != nil {
				return err
			}
		}
		p.branches[ratio] = b
	}
	return p.warm()
}

// warm runs each step once, as TensorFlow prepares a step on its first run.
func (p *Pipeline) warm() error {
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, stdimage.NewGray(stdimage.Rect(0, 0, 8, 8)), nil); err != nil {
		return err
	}
	_, _, channels := p.Shape()
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
			out, err := r.step.Run(context.Background(), r.in)
			if err != nil {
				return err
			}
			out[0].Close()
		}
	}
	return nil
}

// Close waits for the images under way.
func (p *Pipeline) Close() error { return p.session.Close() }

// Shape is the size of the tensor that an image becomes.
func (p *Pipeline) Shape() (height, width, channels int) { return p.description.Shape() }

// Description is what the pipeline was compiled from.
func (p *Pipeline) Description() preprocessing.Preprocessing { return p.description }

// Into decodes one image into dst, which has height × width × channels elements.
// The error is an *ImageError where the image is at fault; dst is then as it was.
func (p *Pipeline) Into(ctx context.Context, encoded []byte, dst []float32) error {
	h, w, c := p.Shape()
	if len(dst) != h*w*c {
		return fmt.Errorf("inference: an image takes %d×%d×%d elements, given room for %d", h, w, c, len(dst))
	}
	result, err := p.run(ctx, encoded)
	if err != nil {
		return err
	}
	defer result.Close()
	normalise(p.normalisation(), dst, result.Float32())
	return nil
}

func (p *Pipeline) run(ctx context.Context, encoded []byte) (*tensorflow.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	format, w, h, err := preprocessing.Sniff(encoded)
	if err != nil {
		return nil, headerError(err)
	}
	turn := upright
	if p.description.Decoding().Orientation {
		turn = orientationOf(format, encoded)
	}
	width, height := w, h
	if turn.swaps() {
		width, height = h, w
	}
	if err := p.admit(width, height); err != nil {
		return nil, err
	}
	if format == preprocessing.JPEG {
		return p.runJPEG(ctx, encoded, p.ratio(width, height), turn)
	}
	_, _, channels := p.Shape()
	px, err := decode(format, encoded, w, h, channels)
	if err != nil {
		return nil, err
	}
	return p.finish(ctx, p.branches[1], px, turn)
}

func (p *Pipeline) runJPEG(ctx context.Context, encoded []byte, ratio int, turn orientation) (*tensorflow.Tensor, error) {
	// The decoder would refuse it too, but only at its end, and in a message of
	// its own on standard error.
	if err := preprocessing.Complete(encoded); err != nil {
		return nil, headerError(err)
	}
	in, err := tensorflow.FromStrings(nil, [][]byte{encoded})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b := p.branches[ratio]
	step := b.whole
	if turn != upright {
		step = b.decode
	}
	out, err := step.Run(ctx, in)
	if e := (*tensorflow.Error)(nil); errors.As(err, &e) && e.Code == tensorflow.InvalidArgument {
		return nil, &ImageError{Corrupt, err}
	}
	if err != nil {
		return nil, err
	}
	if turn == upright {
		return out[0], nil
	}
	return p.finish(ctx, b, out[0], turn)
}

// finish takes decoded pixels, which it closes, through the remaining steps.
func (p *Pipeline) finish(ctx context.Context, b branch, px *tensorflow.Tensor, turn orientation) (*tensorflow.Tensor, error) {
	defer px.Close()
	if turn != upright {
		turned, err := turn.apply(px)
		if err != nil {
			return nil, err
		}
		defer turned.Close()
		px = turned
	}
	out, err := b.rest.Run(ctx, px)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// admit bounds what an image of that size, upright, would take in memory.
func (p *Pipeline) admit(width, height int) error {
	bound := p.description.Decoding().Bound()
	if n := int64(width) * int64(height); n > bound {
		return imageErrorf(TooManyPixels, "%d×%d are %d, the bound is %d", width, height, n, bound)
	}
	w, h := int64(width), int64(height)
	for _, s := range p.description.Steps {
		switch r := s.Resize; {
		case s.Crop != nil:
			w, h = int64(s.Crop.Width), int64(s.Crop.Height)
		case r == nil:
		case r.Keep == preprocessing.KeepShorter:
			// A narrow strip grows to many pixels before it is cropped.
			if w, h = covering(w, h, *r); w*h > bound {
				return imageErrorf(TooManyPixels, "%d×%d resized to %d×%d are %d, the bound is %d", width, height, w, h, w*h, bound)
			}
		default:
			w, h = int64(r.Width), int64(r.Height)
		}
	}
	return nil
}

// covering is the least size of the aspect w:h that covers r's; the longer side
// is rounded down. compiler.cover says the same in TensorFlow's operations.
func covering(w, h int64, r preprocessing.Resize) (width, height int64) {
	return max(int64(r.Width), w*int64(r.Height)/h), max(int64(r.Height), h*int64(r.Width)/w)
}

// ratio is the largest at which a JPEG of that size, upright, still covers what
// the first resize asks for. libjpeg rounds the scaled size up.
func (p *Pipeline) ratio(width, height int) int {
	r := p.firstResize()
	if r == nil {
		return 1
	}
	best := 1
	for ratio := range p.branches {
		if ratio > best && (width+ratio-1)/ratio >= r.Width && (height+ratio-1)/ratio >= r.Height {
			best = ratio
		}
	}
	return best
}

// normalisation is the mode of the last step, which a valid description has.
func (p *Pipeline) normalisation() string {
	steps := p.description.Steps
	return steps[len(steps)-1].Normalise.Mode
}

func (p *Pipeline) firstResize() *preprocessing.Resize {
	for _, s := range p.description.Steps {
		if s.Resize != nil {
			return s.Resize
		}
	}
	return nil
}
