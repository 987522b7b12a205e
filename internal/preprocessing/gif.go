package preprocessing

import (
	"encoding/binary"
	"fmt"
)

func sniffGIF(b []byte) (width, height int, err error) {
	if len(b) < 10 {
		return 0, 0, ErrTruncated
	}
	return int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:])), nil
}

// The blocks of a GIF (GIF89a specification, appendix A).
const (
	gifExtension = 0x21
	gifImage     = 0x2c
	gifTrailer   = 0x3b
	gifControl   = 0xf9 // the label of a graphic control extension
)

// gifBlocks iterates over the blocks after a GIF's screen descriptor.
type gifBlocks struct {
	b  []byte
	at int
}

func newGIFBlocks(b []byte) (*gifBlocks, error) {
	if len(b) < 13 {
		return nil, ErrTruncated
	}
	return &gifBlocks{b, 13 + colourTable(b[10])}, nil
}

// next returns the next block, from its introducer to the end of its data.
func (g *gifBlocks) next() (kind byte, block []byte, err error) {
	if g.at >= len(g.b) {
		return 0, nil, fmt.Errorf("no trailer: %w", ErrTruncated)
	}
	begin := g.at
	switch kind = g.b[g.at]; kind {
	case gifTrailer:
		return kind, g.b[begin : begin+1], nil
	case gifExtension: // introducer, label, sub-blocks
		g.at += 2
	case gifImage: // descriptor of 10 bytes, colour table, code size, sub-blocks
		if g.at+10 > len(g.b) {
			return kind, nil, ErrTruncated
		}
		g.at += 10 + colourTable(g.b[g.at+9]) + 1
	default:
		return kind, nil, fmt.Errorf("unknown block 0x%02x: %w", kind, ErrCorrupt)
	}
	for { // sub-blocks, each preceded by its length, ended by an empty one
		if g.at >= len(g.b) {
			return kind, nil, ErrTruncated
		}
		n := int(g.b[g.at])
		g.at += 1 + n
		if n == 0 {
			return kind, g.b[begin:g.at], nil
		}
	}
}

// gifPixels returns the number of frames times the size of the largest. TensorFlow
// allocates all frames at that size, and does not limit it to the screen. A frame
// whose data is truncated counts.
func gifPixels(b []byte) int64 {
	blocks, err := newGIFBlocks(b)
	var frames, width, height int64
	for kind := byte(0); err == nil && kind != gifTrailer; {
		begin := blocks.at
		kind, _, err = blocks.next()
		if kind == gifImage && begin+10 <= len(b) {
			frames++
			width = max(width, int64(binary.LittleEndian.Uint16(b[begin+5:])))
			height = max(height, int64(binary.LittleEndian.Uint16(b[begin+7:])))
		}
	}
	return frames * width * height
}

func checkGIF(b []byte) error {
	blocks, err := newGIFBlocks(b)
	for kind := byte(0); err == nil && kind != gifTrailer; {
		kind, _, err = blocks.next()
	}
	return err
}

// gifDetails counts at most two frames. Only the control extension before the
// first frame applies to the frame that is decoded.
func gifDetails(b []byte, d *Details) {
	blocks, err := newGIFBlocks(b)
	for frames := 0; err == nil && frames < 2; {
		var kind byte
		var block []byte
		kind, block, err = blocks.next()
		switch {
		case err != nil || kind == gifTrailer:
			return
		case kind == gifImage:
			frames++
			d.Animated = frames > 1
		case frames == 0 && len(block) > 3 && block[1] == gifControl:
			d.Alpha = block[3]&1 != 0
		}
	}
}

// colourTable returns the length in bytes of the colour table announced by a
// GIF's packed field.
func colourTable(packed byte) int {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}
