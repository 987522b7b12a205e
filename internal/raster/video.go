package raster

import "image"

// video draws the planes of a lossy WebP. Their luma is in the studio range of
// ITU-R BT.601, 16 to 235, while Go's image.YCbCr and its conversion assume
// JPEG's full range (RFC 6386 §9.2). Chroma has half the resolution and is
// interpolated like in libwebp's default, so that the pixels are those shown by
// browsers.
func (d *drawing) video(m *image.YCbCr) {
	r := m.Rect
	w, h := r.Dx(), r.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	for y := range h {
		luma := m.Y[m.YOffset(r.Min.X, r.Min.Y+y):][:w]
		// A row of pixels lies between two rows of chroma, at a quarter of the
		// distance from the nearer one.
		near, far := y/2, y/2-1+2*(y&1)
		far = min(max(far, 0), ch-1)
		ub, ua := m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw]
		vb, va := m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw]
		out := d.pix[((r.Min.Y+y)*d.Width+r.Min.X)*d.Channels:]
		for x := range w {
			i, j := x/2, x/2-1+2*(x&1)
			j = min(max(j, 0), cw-1)
			u := between(ub[i], ub[j], ua[i], ua[j])
			v := between(vb[i], vb[j], va[i], va[j])
			r, g, b := studioRGB(luma[x], u, v)
			if d.Channels == 1 {
				out[x] = grey(luma[x])
			} else {
				out[3*x], out[3*x+1], out[3*x+2] = r, g, b
			}
		}
	}
}

// between weighs four samples of chroma by 9, 3, 3 and 1: the nearest, its
// neighbours along the row and the column, and the diagonal one.
func between(near, along, across, diagonal uint8) int32 {
	n, a, b, d := int32(near), int32(along), int32(across), int32(diagonal)
	return (9*n + 3*a + 3*b + d + 8) >> 4
}

// studioRGB is BT.601's conversion in fixed point: coefficients × 2¹⁴, which
// after the >> 8 of each product leave six fractional bits.
func studioRGB(y uint8, u, v int32) (r, g, b uint8) {
	luma := int32(y) * 19077 >> 8
	return clip(luma + v*26149>>8 - 14234),
		clip(luma - u*6419>>8 - v*13320>>8 + 8708),
		clip(luma + u*33050>>8 - 17685)
}

// grey stretches studio luma to full range, by the same arithmetic.
func grey(y uint8) uint8 { return clip(int32(y)*19077>>8 - 16*19077>>8) }

func clip(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
