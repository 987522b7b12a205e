package network

import "slices"

// reshaping is for operations that keep the order of the values. The batch is
// where the number of values before it is unchanged.
func reshaping(c *step) (spread, string) {
	s, from, to := c.spreads[0], c.dims(0), c.out()
	if s.kind != images || from == nil || to == nil || len(c.in) > 1 && !c.shaped(1) {
		return undecided, ""
	}
	before := s.outer
	for _, d := range from[:s.axis] {
		before *= d.size // 0 if unknown
	}
	axis := slices.IndexFunc(to, func(d dim) bool { return d.batch > 0 })
	if axis < 0 {
		return undecided, ""
	}
	ahead := int64(1)
	for _, d := range to[:axis] {
		ahead *= d.size
	}
	if before == 0 || ahead == 0 || before%ahead != 0 {
		return undecided, ""
	}
	return spread{images, axis, before / ahead}, ""
}

func transposing(c *step) (spread, string) {
	order, ok := c.ints(1)
	s := c.spreads[0]
	if s.kind != images || !ok {
		return undecided, ""
	}
	s.axis = slices.Index(order, int64(s.axis))
	return s, ""
}

// inPlace is for operations that remove or add values along an axis. They must
// not change the size along the batch's axis.
func inPlace(c *step) (spread, string) {
	s, from, to := c.spreads[0], c.dims(0), c.out()
	if s.kind != images || from == nil || to == nil || !c.parameters(1) {
		return undecided, ""
	}
	if c.node.GetOp() == "StridedSlice" {
		strides, ok := c.ints(3)
		if !ok || slices.ContainsFunc(strides, func(v int64) bool { return v != 1 }) {
			if len(strides) <= s.axis || strides[s.axis] != 1 || c.node.GetAttr()["ellipsis_mask"].GetI() != 0 || c.node.GetAttr()["new_axis_mask"].GetI() != 0 {
				return undecided, ""
			}
		}
	}
	if c.node.GetOp() == "Roll" {
		axes, ok := c.axes(2, len(from))
		if !ok || slices.Contains(axes, s.axis) {
			return undecided, ""
		}
	}
	axis := slices.IndexFunc(to, func(d dim) bool { return d.batch > 0 })
	if axis < 0 || to[axis] != from[s.axis] {
		return undecided, ""
	}
	s.axis = axis
	return s, ""
}

// joining is for concatenation. Tensors concatenated along the batch, such as
// several views of the images, each contain the whole batch.
func joining(c *step) (spread, string) {
	last := len(c.in) - 1
	rank := len(c.out())
	axes, ok := c.axes(last, rank)
	if !ok || len(axes) != 1 {
		return undecided, ""
	}
	found := -1
	for i, s := range c.spreads[:last] {
		switch {
		case s.kind == sized:
			return undecided, ""
		case s.kind == images && found < 0:
			found = i
		case s.kind == images && s != c.spreads[found]:
			return undecided, ""
		}
	}
	if found < 0 {
		return undecided, ""
	}
	s := c.spreads[found]
	if axes[0] != s.axis {
		return s, ""
	}
	for i := range c.spreads[:last] {
		dims := c.dims(i)
		if c.spreads[i].kind != images || dims == nil || dims[s.axis] != c.dims(found)[s.axis] {
			return undecided, ""
		}
	}
	s.outer *= int64(last)
	return s, ""
}

func packing(c *step) (spread, string) {
	axis := int(c.node.GetAttr()["axis"].GetI())
	if axis < 0 {
		axis += len(c.out())
	}
	var found []spread
	for _, s := range c.spreads {
		if s.kind == sized {
			return undecided, ""
		}
		if s.kind == images {
			found = append(found, s)
		}
	}
	if slices.ContainsFunc(found, func(s spread) bool { return s != found[0] }) {
		return undecided, ""
	}
	s := found[0]
	if axis <= s.axis {
		s.axis++
	}
	return s, ""
}

func splitting(c *step) (spread, string) {
	value, axis := 1, 0
	if c.node.GetOp() == "SplitV" {
		value, axis = 0, 2
	}
	s, dims := c.spreads[value], c.dims(value)
	axes, ok := c.axes(axis, len(dims))
	if s.kind != images || !ok || len(axes) != 1 {
		return undecided, ""
	}
	if axes[0] != s.axis {
		return s, ""
	}
	parts := int64(c.outputs)
	if c.node.GetOp() == "SplitV" || parts < 1 || s.outer%parts != 0 {
		return undecided, ""
	}
	s.outer /= parts
	return s, ""
}

func unpacking(c *step) (spread, string) {
	s := c.spreads[0]
	axis := int(c.node.GetAttr()["axis"].GetI())
	if axis < 0 {
		axis += len(c.dims(0))
	}
	if s.kind != images || axis == s.axis {
		return undecided, ""
	}
	if axis < s.axis {
		s.axis--
	}
	return s, ""
}

// gathering is for selection by index.
func gathering(c *step) (spread, string) {
	values, at := c.spreads[0], c.spreads[1]
	axes, ok := c.axes(2, len(c.dims(0)))
	if !ok || len(axes) != 1 || c.node.GetAttr()["batch_dims"].GetI() != 0 {
		return undecided, ""
	}
	switch {
	case values.kind == steady && at.kind == images:
		at.axis += axes[0]
		return at, ""
	case values.kind == images && at.kind == steady && axes[0] != values.axis:
		if axes[0] < values.axis {
			values.axis += len(c.dims(1)) - 1
		}
		return values, ""
	}
	return undecided, ""
}

// spacing is for dilated convolutions, which move skipped positions into the
// batch, one block of the batch after the other.
func spacing(c *step) (spread, string) {
	s := c.spreads[0]
	block, ok := c.ints(1)
	if s.kind != images || s.axis != 0 || !ok || !c.parameters(1) {
		return undecided, ""
	}
	size := int64(1)
	for _, b := range block {
		size *= b
	}
	if c.node.GetOp() == "SpaceToBatchND" {
		s.outer *= size
		return s, ""
	}
	if size < 1 || s.outer%size != 0 {
		return undecided, ""
	}
	s.outer /= size
	return s, ""
}
