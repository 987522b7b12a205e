package pipeline

import (
	"fmt"

	"tkit/internal/preprocessing"
	"tkit/internal/tensorflow"
)

// plan is a description divided at its plugins into pieces of the graph and
// plugin steps.
type plan struct {
	before []plugged // on encoded bytes; the last one decodes if decode is nil
	decode *preprocessing.Decode
	// first contains the steps between the decode and the first plugin; then
	// are the plugins after them, each with the following piece of the graph.
	first piece
	then  []turn
	// normalise is the last built-in step; plugins may follow it.
	normalise preprocessing.Normalise
	after     []plugged
}

// plugged is a plugin step, its input and the required form of its output.
type plugged struct {
	step         preprocessing.Plugin
	takes, gives preprocessing.Form
}

// piece is a sequence of steps that form one piece of the graph, and their
// input.
type piece struct {
	in    preprocessing.Form
	steps []preprocessing.Step
}

// turn is a plugin and the steps after it.
type turn struct {
	plugged
	piece
}

// newPlan divides a valid description.
func newPlan(p preprocessing.Preprocessing) plan {
	var pl plan
	current, normalised := &pl.first, false
	at := preprocessing.Form{Kind: preprocessing.Encoded}
	for i, after := range p.Forms() {
		before, s := at, p.Steps[i]
		at = after
		switch {
		case s.Decode != nil:
			pl.decode, pl.first.in = s.Decode, after
		case s.Normalise != nil:
			pl.normalise, normalised = *s.Normalise, true
		case s.Plugin == nil:
			current.steps = append(current.steps, s)
		case before.Kind == preprocessing.Encoded:
			pl.before, pl.first.in = append(pl.before, plugged{*s.Plugin, before, after}), after
		case normalised:
			pl.after = append(pl.after, plugged{*s.Plugin, before, after})
		default:
			pl.then = append(pl.then, turn{plugged{*s.Plugin, before, after}, piece{in: after}})
			current = &pl.then[len(pl.then)-1].piece
		}
	}
	return pl
}

// The nodes of a compiled graph that are fed and fetched. "encoded" is a scalar
// string; each ratio at which JPEGs are decoded has its own branch, in which
// "pixels" is uint8 [height, width, channels] and "result" is [views, height,
// width, channels] after the steps up to the first plugin or the normalise
// step. Pieces after plugins have pixels and a result as well.
const encodedNode = "encoded"

func branchScope(ratio int) string { return fmt.Sprintf("ratio%d/", ratio) }

// deepScope is the branch of images that Go decodes to float32, if the decode
// step sets the number of bits.
const deepScope = "deep/"

func pieceScope(n int) string { return fmt.Sprintf("piece%d/", n) }

const (
	pixelsNode = "pixels"
	resultNode = "result"
)

// ratios are the fractions 1/r at which a JPEG can be decoded at no additional
// cost.
func ratios(d preprocessing.Decode) []int {
	if d.JPEGScale {
		return []int{1, 2, 4, 8}
	}
	return []int{1}
}

// compile builds a plan as one graph.
func compile(p plan) *compiler {
	c := newCompiler()
	c.name = encodedNode
	c.add("Placeholder", attrs{"dtype": dataType(tensorflow.String), "shape": scalarShape()})
	if p.decode != nil {
		for _, ratio := range ratios(*p.decode) {
			c.scope = branchScope(ratio)
			c.name = c.scope + pixelsNode
			c.decodeJPEG(p.decode.Channels, ratio, encodedNode)
			c.piece(p.first, tensorflow.Uint8, len(p.then) > 0)
		}
		if p.decode.Bits > 0 {
			c.scope = deepScope
			c.pixels(p.first.in)
			c.piece(p.first, tensorflow.Float32, len(p.then) > 0)
		}
	} else {
		c.scope = pieceScope(0)
		c.pixels(p.first.in)
		c.piece(p.first, dataTypeOf(p.first.in.Kind), len(p.then) > 0)
	}
	for i, t := range p.then {
		c.scope = pieceScope(i + 1)
		c.pixels(t.in)
		c.piece(t.piece, dataTypeOf(t.in.Kind), i+1 < len(p.then))
	}
	return c
}

// decodeJPEG appends the decoder. Its method is TensorFlow's default, which is
// used by tf.io.decode_image and therefore by the Keras image datasets on which
// networks are trained; it differs from INTEGER_ACCURATE by up to 5 grey
// levels.
func (c *compiler) decodeJPEG(channels, ratio int, encoded string) string {
	return c.add("DecodeJpeg", attrs{
		"channels":              integer(int64(channels)),
		"ratio":                 integer(int64(ratio)),
		"fancy_upscaling":       boolean(true),
		"acceptable_fraction":   floating(1),
		"try_recover_truncated": boolean(false),
		"dct_method":            text("INTEGER_FAST"),
	}, encoded)
}

// pixels appends a placeholder for a plugin's output.
func (c *compiler) pixels(in preprocessing.Form) {
	c.name = c.scope + pixelsNode
	c.add("Placeholder", attrs{"dtype": dataType(dataTypeOf(in.Kind)), "shape": unknownShape()})
}

// piece appends the steps from the scope's pixels, of the given data type, to
// its result, which is float32 unless the pixels are uint8 and a plugin is
// next.
func (c *compiler) piece(p piece, from tensorflow.DataType, plugin bool) {
	im := image{dataType: from, height: p.in.Shape[0], width: p.in.Shape[1], channels: p.in.Shape[2]}
	im.tensor = c.add("ExpandDims", attrs{"T": dataType(im.dataType), "Tdim": dataType(tensorflow.Int32)},
		c.scope+pixelsNode, c.ints(nil, 0))
	im = c.steps(im, p.steps)
	to := tensorflow.Float32
	if plugin && p.in.Kind == preprocessing.Uint8 {
		to = im.dataType
	}
	c.name = c.scope + resultNode
	c.add("Cast", attrs{"SrcT": dataType(im.dataType), "DstT": dataType(to)}, im.tensor)
}

func dataTypeOf(k preprocessing.Kind) tensorflow.DataType {
	if k == preprocessing.Uint8 {
		return tensorflow.Uint8
	}
	return tensorflow.Float32
}
