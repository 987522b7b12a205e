package preprocessing

import (
	"encoding/binary"
	"fmt"
)

func sniffPNG(b []byte) (width, height int, err error) {
	// signature 8, length 4, "IHDR" 4, width 4, height 4
	if len(b) < 24 {
		return 0, 0, ErrTruncated
	}
	if string(b[12:16]) != "IHDR" {
		return 0, 0, fmt.Errorf("the first chunk is not IHDR: %w", ErrCorrupt)
	}
	w, h := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return 0, 0, fmt.Errorf("a side above 2³¹ − 1: %w", ErrCorrupt)
	}
	return int(w), int(h), nil
}

// pngChunks iterates over the chunks of a PNG: length, kind, body and checksum.
type pngChunks struct {
	b  []byte
	at int64
}

func newPNGChunks(b []byte) *pngChunks { return &pngChunks{b, 8} }

// next returns the next chunk. Its body aliases the file's bytes.
func (c *pngChunks) next() (kind string, body []byte, err error) {
	if c.at+12 > int64(len(c.b)) {
		return "", nil, fmt.Errorf("no IEND chunk: %w", ErrTruncated)
	}
	n := int64(binary.BigEndian.Uint32(c.b[c.at:]))
	if n > 1<<31-1 {
		return "", nil, fmt.Errorf("a chunk longer than the format allows: %w", ErrCorrupt)
	}
	kind = string(c.b[c.at+4 : c.at+8])
	end := c.at + 12 + n
	if end > int64(len(c.b)) {
		return "", nil, fmt.Errorf("chunk %q ends after the file: %w", kind, ErrTruncated)
	}
	body = c.b[c.at+8 : end-4]
	c.at = end
	return kind, body, nil
}

// mostPNGChunks is how many chunks a PNG of that many bytes may have. A decoder
// takes microseconds for each, however short; encoders write one per few
// thousand bytes.
func mostPNGChunks(length int) int { return 10_000 + length/256 }

func checkPNG(b []byte) error {
	data, count := int64(0), 0
	for chunks := newPNGChunks(b); ; {
		kind, body, err := chunks.next()
		if err != nil {
			return err
		}
		if count++; count > mostPNGChunks(len(b)) {
			return fmt.Errorf("more than %d chunks: %w", mostPNGChunks(len(b)), ErrTooCostly)
		}
		switch kind {
		case "IDAT":
			data += int64(len(body))
		case "IEND":
			return checkPNGData(b, data)
		}
	}
}

// maxDeflate is how many bytes one byte of deflated data can expand to.
const maxDeflate = 1032

// checkPNGData checks that the data can hold the pixels: a decoder allocates
// them before it reads the data.
func checkPNGData(b []byte, data int64) error {
	width, height, err := sniffPNG(b)
	if err != nil {
		return err
	}
	pixels, most := int64(width)*int64(height), data*maxDeflate*8/max(1, pngPixelBits(b))
	if pixels > most {
		return fmt.Errorf("%d bytes of data cannot hold %d×%d pixels: %w", data, width, height, ErrTruncated)
	}
	return nil
}

// pngPixelBits returns the bits per pixel, 0 if the header is invalid.
func pngPixelBits(b []byte) int64 {
	if len(b) < 26 {
		return 0
	}
	samples := map[byte]int64{pngGrey: 1, pngRGB: 3, pngPalette: 1, pngGreyAlpha: 2, pngRGBA: 4}
	return int64(b[24]) * samples[b[25]]
}

// The colour types of a PNG (ISO/IEC 15948, table 11.1).
const (
	pngGrey      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGreyAlpha = 4
	pngRGBA      = 6
)
