package preprocessing

import "encoding/binary"

// Details is what an image's headers say besides its size. Decode decides what
// of it is used.
type Details struct {
	Orientation Orientation
	// Deep means that samples have 16 bits.
	Deep bool
	// Alpha means that pixels may be transparent. Only the pixels tell whether
	// any is.
	Alpha bool
	// Inks means that a JPEG has four components, CMYK or YCCK.
	Inks bool
	// Animated means that there are several frames.
	Animated bool
}

// DetailsOf returns the details of an encoded image, as far as its headers can
// be parsed. It takes time at most linear in len(b).
func DetailsOf(b []byte) Details {
	d := Details{Orientation: OrientationOf(b)}
	switch formatOf(b) {
	case JPEG:
		s := segments{b: b, at: 2}
		f, err := s.frame()
		d.Inks = err == nil && len(f.components) == 4
	case PNG:
		pngDetails(b, &d)
	case GIF:
		gifDetails(b, &d)
	case BMP:
		// Information headers longer than the first version have an alpha mask.
		h, err := readBMP(b)
		d.Alpha = err == nil && h.bits == 32 && binary.LittleEndian.Uint32(b[bmpFileHeader:]) > bmpInfoHeader
	case WebP:
		webpDetails(b, &d)
	}
	return d
}

func pngDetails(b []byte, d *Details) {
	if len(b) < 26 {
		return
	}
	d.Deep = b[24] == 16
	d.Alpha = b[25] == pngGreyAlpha || b[25] == pngRGBA
	for chunks := newPNGChunks(b); ; {
		kind, body, err := chunks.next()
		switch {
		case err != nil || kind == "IDAT": // the chunks below precede the pixels
			return
		case kind == "tRNS":
			d.Alpha = true
		case kind == "acTL" && len(body) >= 4:
			d.Animated = binary.BigEndian.Uint32(body) > 1
		}
	}
}

func webpDetails(b []byte, d *Details) {
	for at := int64(12); ; {
		c, err := chunkAt(b, at)
		if err != nil {
			return
		}
		switch {
		case c.kind == "VP8X" && len(c.body) > 0:
			const alpha, animation = 0x10, 0x02
			d.Alpha = c.body[0]&alpha != 0
			d.Animated = c.body[0]&animation != 0
		case c.kind == "VP8L" && len(c.body) >= 5: // the two sides are followed by an alpha bit
			d.Alpha = d.Alpha || c.body[4]>>4&1 != 0
			return
		case c.kind == "VP8 ":
			return
		}
		if c.next == 0 {
			return
		}
		at = c.next
	}
}
