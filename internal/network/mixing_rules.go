package network

import (
	"slices"
	"strings"
)

// A mixingRule returns the spread of an operation's outputs, or why it mixes
// the images.
type mixingRule = func(c *step) (spread, string)

var mixingRules = rules()

func rules() map[string]mixingRule {
	all := make(map[string]mixingRule)
	for _, group := range []struct {
		rule mixingRule
		ops  string
	}{
		{broadcasting, `Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd Cast Ceil CheckNumerics ClipByValue
			Cos Cosh Digamma Div DivNoNan Elu EnsureShape Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater
			GreaterEqual Identity Inv IsFinite IsInf IsNan LeakyRelu Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot
			LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NotEqual PlaceholderWithDefault Pow PreventGradient RealDiv
			Reciprocal Relu Relu6 Rint Round Rsqrt SelectV2 Selu Sigmoid Sign Sin Sinh Snapshot Softplus Softsign Sqrt
			Square SquaredDifference StopGradient Sub Tan Tanh TruncateDiv Xdivy Xlogy Zeta BroadcastTo
			FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Bitcast`},
		{perImage, `Conv2D Conv3D DepthwiseConv2dNative MaxPool MaxPoolV2 MaxPool3D AvgPool AvgPool3D LRN DepthToSpace
			SpaceToDepth ExtractImagePatches ExtractVolumePatches Dilation2D ResizeBilinear ResizeBicubic
			ResizeNearestNeighbor ResizeArea ScaleAndTranslate AdjustContrastv2 AdjustSaturation RGBToHSV
			HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3`},
		{transposedConvolution, "Conv2DBackpropInput"},
		{normalising, "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3"},
		{reducing, "All Any EuclideanNorm Max Mean Min Prod Sum"},
		{alongAxis, "ArgMax ArgMin Cumsum Cumprod CumulativeLogsumexp ReverseV2"},
		{alongLast, "Softmax LogSoftmax TopK TopKV2"},
		{func(*step) (spread, string) { return spread{}, "sums over the whole batch" }, "L2Loss"},
		{quantising, "QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4"},
		{reshaping, "Reshape ExpandDims Squeeze"},
		{transposing, "Transpose"},
		{inPlace, "Pad PadV2 MirrorPad Slice StridedSlice Tile Roll"},
		{joining, "ConcatV2"},
		{packing, "Pack"},
		{splitting, "Split SplitV"},
		{unpacking, "Unpack"},
		{multiplying, "MatMul"},
		{batchMultiplying, "BatchMatMul BatchMatMulV2 BatchMatMulV3"},
		{summing, "Einsum"},
		{gathering, "GatherV2"},
		{spacing, "SpaceToBatchND BatchToSpaceND"},
	} {
		for op := range strings.FieldsSeq(group.ops) {
			all[op] = group.rule
		}
	}
	return all
}

var undecided = spread{kind: unsure}

// broadcasting is for elementwise operations, where operands of lower rank are
// broadcast.
func broadcasting(c *step) (spread, string) {
	rank := len(c.out())
	var found []spread
	for i, s := range c.spreads {
		dims := c.dims(i)
		if s.kind == sized && !(c.node.GetOp() == "BroadcastTo" && i == 1 && c.shaped(1)) || dims == nil {
			return undecided, ""
		}
		if s.kind == images {
			s.axis += rank - len(dims)
			found = append(found, s)
		}
	}
	if slices.ContainsFunc(found, func(s spread) bool { return s != found[0] }) {
		return undecided, ""
	}
	return found[0], ""
}

// perImage is for operations on a batch of images along the first dimension of
// their first input.
func perImage(c *step) (spread, string) {
	s := c.spreads[0]
	if s.kind != images || s.axis != 0 || !c.parameters(1) {
		return undecided, ""
	}
	return s, ""
}

func transposedConvolution(c *step) (spread, string) {
	if s := c.spreads[2]; s.kind == images && s.axis == 0 && c.shaped(0) && c.spreads[1].kind == steady {
		return s, ""
	}
	return undecided, ""
}

// normalising is for fused batch norm, which in training mode computes each
// channel's statistics over all other dimensions.
func normalising(c *step) (spread, string) {
	s := c.spreads[0]
	if s.kind != images {
		return undecided, ""
	}
	channel := len(c.dims(0)) - 1
	if !channelsLast(c.node) {
		channel = 1
	}
	if s.axis == channel && c.perChannel(s) { // layer and instance norm are written like this
		return s, ""
	}
	if !c.parameters(1) {
		return undecided, ""
	}
	if inference(c.node) {
		return s, ""
	}
	return undecided, "is batch normalisation in training mode: it takes the mean and the variance over the whole batch"
}

// perChannel reports whether scale, offset and statistics are the same for all
// images, or one per channel where x has its images along the channels.
func (c *step) perChannel(x spread) bool {
	for _, s := range c.spreads[1:] {
		if s.kind != steady && s != (spread{images, 0, x.outer}) {
			return false
		}
	}
	return true
}

func reducing(c *step) (spread, string) {
	s, dims := c.spreads[0], c.dims(0)
	if s.kind != images || dims == nil || !c.parameters(1) {
		return undecided, ""
	}
	axes, ok := c.axes(1, len(dims))
	if !ok {
		return undecided, ""
	}
	if slices.Contains(axes, s.axis) {
		return undecided, "takes the " + strings.ToLower(c.node.GetOp()) + " over the whole batch"
	}
	if !c.node.GetAttr()["keep_dims"].GetB() {
		for _, axis := range slices.Compact(slices.Sorted(slices.Values(axes))) {
			if axis < c.spreads[0].axis {
				s.axis--
			}
		}
	}
	return s, ""
}

// alongAxis is for operations along the axes in their second input.
func alongAxis(c *step) (spread, string) {
	s, dims := c.spreads[0], c.dims(0)
	axes, ok := c.axes(1, len(dims))
	if s.kind != images || dims == nil || !ok {
		return undecided, ""
	}
	if slices.Contains(axes, s.axis) {
		return undecided, "goes along the batch"
	}
	if op := c.node.GetOp(); (op == "ArgMax" || op == "ArgMin") && axes[0] < s.axis {
		s.axis--
	}
	return s, ""
}

// alongLast is for operations along the last axis.
func alongLast(c *step) (spread, string) {
	s, dims := c.spreads[0], c.dims(0)
	if s.kind != images || dims == nil || !c.parameters(1) {
		return undecided, ""
	}
	if s.axis == len(dims)-1 {
		return undecided, "goes along the batch"
	}
	return s, ""
}

// quantising is for quantisation, which may derive its range from the values.
func quantising(c *step) (spread, string) {
	if given := c.node.GetAttr()["range_given"]; c.spreads[0].kind == images && !given.GetB() {
		return undecided, "takes its range from the whole batch"
	}
	return broadcasting(c)
}

// multiplying is for the product of two matrices.
func multiplying(c *step) (spread, string) {
	a, b := c.spreads[0], c.spreads[1]
	const contracted = "sums over the whole batch"
	if c.node.GetAttr()["transpose_a"].GetB() {
		a.axis = 1 - a.axis
	}
	if c.node.GetAttr()["transpose_b"].GetB() {
		b.axis = 1 - b.axis
	}
	switch {
	case a.kind == images && a.axis == 1 || b.kind == images && b.axis == 0:
		return undecided, contracted
	case a.kind == images && b.kind == steady:
		return a, ""
	case b.kind == images && a.kind == steady:
		return b, ""
	}
	return undecided, ""
}

// batchMultiplying is for batched matrix products.
func batchMultiplying(c *step) (spread, string) {
	rank := len(c.out())
	var found []spread
	for i, s := range c.spreads {
		dims := c.dims(i)
		if s.kind == sized || dims == nil {
			return undecided, ""
		}
		if s.kind != images {
			continue
		}
		adjoint := c.node.GetAttr()["adj_x"].GetB()
		if i == 1 {
			adjoint = c.node.GetAttr()["adj_y"].GetB()
		}
		row, column := len(dims)-2, len(dims)-1
		if adjoint {
			row, column = column, row
		}
		contracted := column
		if i == 1 {
			contracted = row
		}
		if s.axis == contracted {
			return undecided, "sums over the whole batch"
		}
		switch s.axis += rank - len(dims); {
		case i == 0 && s.axis-rank == row-len(dims):
			s.axis = rank - 2
		case i == 1 && s.axis-rank == column-len(dims):
			s.axis = rank - 1
		}
		found = append(found, s)
	}
	if len(found) == 2 && (found[0] != found[1] || found[0].axis >= rank-2) {
		return undecided, ""
	}
	return found[0], ""
}

// summing is for Einstein sums without an ellipsis.
func summing(c *step) (spread, string) {
	equation := strings.ReplaceAll(attrString(c.node, "equation", ""), " ", "")
	terms, result, ok := strings.Cut(equation, "->")
	labels := strings.Split(terms, ",")
	if !ok || strings.Contains(equation, ".") || len(labels) != len(c.in) {
		return undecided, ""
	}
	var label byte
	outer := int64(0)
	for i, s := range c.spreads {
		if s.kind == sized {
			return undecided, ""
		}
		if s.kind != images {
			continue
		}
		if s.axis >= len(labels[i]) || label != 0 && (labels[i][s.axis] != label || s.outer != outer) {
			return undecided, ""
		}
		label, outer = labels[i][s.axis], s.outer
	}
	at := strings.IndexByte(result, label)
	if at < 0 {
		return undecided, "sums over the whole batch"
	}
	return spread{images, at, outer}, ""
}
