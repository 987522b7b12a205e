package preprocessing

import (
	"encoding/binary"
	"fmt"
)

// A BMP begins with a file header of 14 bytes ("BM", file size 4, reserved 4,
// offset of the pixels 4) and an information header that begins with its own
// length.
const (
	bmpFileHeader = 14
	bmpCoreHeader = 12 // BITMAPCOREHEADER: 16-bit sides
	bmpInfoHeader = 40 // BITMAPINFOHEADER and its longer successors: 32-bit sides
)

// plausibleBMP rejects text that begins with the short signature "BM".
func plausibleBMP(b []byte) bool {
	if len(b) < bmpFileHeader+4 {
		// Too short to decide, unless the reserved bytes are not zero.
		for i := 6; i < min(10, len(b)); i++ {
			if b[i] != 0 {
				return false
			}
		}
		return true
	}
	n := binary.LittleEndian.Uint32(b[bmpFileHeader:])
	return n == bmpCoreHeader || n >= bmpInfoHeader && n <= 256
}

func sniffBMP(b []byte) (width, height int, err error) {
	h, err := readBMP(b)
	return h.width, h.height, err
}

type bmpHeader struct {
	width, height int
	pixels        uint32 // offset of the pixels
	bits          uint16 // per pixel
	compression   uint32
	length        uint32 // of the pixels in bytes; zero if uncompressed
}

func readBMP(b []byte) (h bmpHeader, err error) {
	if len(b) < bmpFileHeader+bmpCoreHeader {
		return h, ErrTruncated
	}
	h.pixels = binary.LittleEndian.Uint32(b[10:])
	info := b[bmpFileHeader:]
	if binary.LittleEndian.Uint32(info) == bmpCoreHeader {
		h.width = int(binary.LittleEndian.Uint16(info[4:]))
		h.height = int(binary.LittleEndian.Uint16(info[6:]))
		h.bits = binary.LittleEndian.Uint16(info[10:])
		return h, nil
	}
	if len(info) < bmpInfoHeader {
		return h, ErrTruncated
	}
	h.width = int(int32(binary.LittleEndian.Uint32(info[4:])))
	h.height = int(int32(binary.LittleEndian.Uint32(info[8:])))
	if h.height < 0 { // rows from top to bottom
		h.height = -h.height
	}
	h.bits = binary.LittleEndian.Uint16(info[14:])
	h.compression = binary.LittleEndian.Uint32(info[16:])
	h.length = binary.LittleEndian.Uint32(info[20:])
	if h.height > 1<<31-1 {
		return h, fmt.Errorf("a side above 2³¹ − 1: %w", ErrCorrupt)
	}
	return h, nil
}

func checkBMP(b []byte) error {
	h, err := readBMP(b)
	if err != nil {
		return err
	}
	need := uint64(h.pixels)
	const rgb, bitfields = 0, 3
	if h.compression == rgb || h.compression == bitfields {
		// Rows are padded to 4 bytes. Sides are below 2³¹ and pixels below 2¹⁶
		// bits, so a row is below 2⁴⁵ bytes. Multiplying it by the lines could
		// exceed 2⁶⁴; the division avoids that.
		row := (uint64(max(h.width, 0))*uint64(h.bits) + 31) / 32 * 4
		lines := uint64(max(h.height, 0))
		if row > 0 && lines > uint64(len(b))/row {
			return fmt.Errorf("%d lines of %d bytes in a file of %d: %w", lines, row, len(b), ErrTruncated)
		}
		need += row * lines
	} else {
		need += uint64(h.length)
	}
	if need > uint64(len(b)) {
		return fmt.Errorf("declares %d bytes and has %d: %w", need, len(b), ErrTruncated)
	}
	return nil
}
