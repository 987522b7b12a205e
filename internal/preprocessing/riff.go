package preprocessing

import (
	"encoding/binary"
	"fmt"
)

// The format of WebP files is defined by the WebP Container Specification, the
// headers inside by RFC 6386 §9.1 (VP8) and the WebP Lossless Bitstream
// Specification (VP8L).

// chunk is the RIFF chunk at an offset. Its body may be cut short by the end of
// b.
type chunk struct {
	kind string
	body []byte
	next int64 // offset of the next chunk, 0 if b ends before
}

func chunkAt(b []byte, at int64) (chunk, error) {
	if at+8 > int64(len(b)) {
		return chunk{}, ErrTruncated
	}
	n := int64(binary.LittleEndian.Uint32(b[at+4:]))
	c := chunk{kind: string(b[at : at+4]), body: b[at+8 : min(at+8+n, int64(len(b)))]}
	if end := at + 8 + n + n&1; end < int64(len(b)) {
		c.next = end
	}
	return c, nil
}

// sniffWebP finds the first image, skipping unknown chunks. An extended file
// (VP8X) first declares a canvas, which a still image must fill. A decoder
// allocates memory for the image and not for the canvas, so the two must agree
// for the bound to hold.
func sniffWebP(b []byte) (width, height int, err error) {
	canvas := false
	for at := int64(12); ; {
		c, err := chunkAt(b, at)
		if err != nil {
			return 0, 0, err
		}
		switch c.kind {
		case "VP8X":
			const animation = 0x02
			if len(c.body) < 10 {
				return 0, 0, ErrTruncated
			}
			canvas = true
			width = 1 + int(uint24(c.body[4:]))
			height = 1 + int(uint24(c.body[7:]))
			if c.body[0]&animation != 0 {
				return width, height, nil
			}
		case "VP8 ", "VP8L":
			w, h, err := sniffVP8(c)
			if err == nil && canvas && (w != width || h != height) {
				err = fmt.Errorf("an image of %d×%d on a canvas of %d×%d: %w", w, h, width, height, ErrCorrupt)
			}
			return w, h, err
		}
		if c.next == 0 {
			return 0, 0, ErrTruncated
		}
		at = c.next
	}
}

// sniffVP8 parses the header of a lossy or lossless image chunk.
func sniffVP8(c chunk) (width, height int, err error) {
	b := c.body
	if c.kind == "VP8L" { // signature 1, then 14 bits of width − 1 and 14 of height − 1
		if len(b) < 5 {
			return 0, 0, ErrTruncated
		}
		if b[0] != 0x2f {
			return 0, 0, fmt.Errorf("no lossless signature: %w", ErrCorrupt)
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff), nil
	}
	// frame tag 3, start code 3, width 2, height 2; the upper 2 bits of each are a scale
	if len(b) < 10 {
		return 0, 0, ErrTruncated
	}
	if b[0]&1 != 0 || string(b[3:6]) != "\x9d\x01\x2a" {
		return 0, 0, fmt.Errorf("no key frame: %w", ErrCorrupt)
	}
	const side = 1<<14 - 1
	return int(binary.LittleEndian.Uint16(b[6:])) & side, int(binary.LittleEndian.Uint16(b[8:])) & side, nil
}

func uint24(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

func checkWebP(b []byte) error {
	if n := int64(binary.LittleEndian.Uint32(b[4:])); 8+n > int64(len(b)) {
		return fmt.Errorf("declares %d bytes and has %d: %w", 8+n, len(b), ErrTruncated)
	}
	width, height, err := sniffWebP(b)
	if err != nil {
		return err
	}
	for at := int64(12); at != 0; {
		c, err := chunkAt(b, at)
		if err != nil {
			return err
		}
		const losslessAlpha = 0x01
		switch {
		case c.kind == "VP8L":
			return checkVP8L(c.body[min(5, len(c.body)):], width, height)
		case c.kind == "VP8 ":
			return nil
		case c.kind == "ALPH" && len(c.body) > 0 && c.body[0]&0x03 == losslessAlpha:
			if err := checkVP8L(c.body[1:], width, height); err != nil {
				return fmt.Errorf("its transparency: %w", err)
			}
		}
		at = c.next
	}
	return nil
}
