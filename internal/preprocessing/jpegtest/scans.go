// Package jpegtest makes JPEGs for tests that no encoder would produce.
package jpegtest

import (
	"bytes"
	"encoding/binary"
)

// Scans returns a valid progressive grey JPEG of side × side pixels with the
// picture in its first scan, followed by n scans that change nothing: about 40
// bytes each, and a pass over all blocks for the decoder.
func Scans(side, n int) []byte {
	var b bytes.Buffer
	segment := func(marker byte, body ...byte) {
		b.Write([]byte{0xff, marker})
		_ = binary.Write(&b, binary.BigEndian, uint16(len(body)+2))
		b.Write(body)
	}
	blocks := (side + 7) / 8 * ((side + 7) / 8)
	one := append([]byte{1}, make([]byte, 15)...) // one code, of one bit
	b.Write([]byte{0xff, 0xd8})
	segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{16}, 64)...)...)
	segment(0xc2, 8, byte(side>>8), byte(side), byte(side>>8), byte(side), 1, 1, 0x11, 0)
	segment(0xc4, append(append([]byte{0x00}, one...), 0)...)    // DC: a difference of no bits
	segment(0xc4, append(append([]byte{0x10}, one...), 0xe0)...) // AC: end of band, for a run of 2¹⁴ blocks and more
	segment(0xda, 1, 1, 0, 0, 0, 0)
	b.Write(make([]byte, (blocks+7)/8))
	runs := endOfBand(blocks)
	for range n {
		segment(0xda, 1, 1, 0, 1, 63, 0)
		b.Write(runs)
	}
	b.Write([]byte{0xff, 0xd9})
	return b.Bytes()
}

// endOfBand returns the data of a scan that ends the band of every block: each
// code of one bit and 14 more ends it for 32,767 blocks.
func endOfBand(blocks int) []byte {
	var bits []byte
	for left := blocks; left > 0; left -= 1<<15 - 1 {
		bits = append(bits, 0)
		bits = append(bits, bytes.Repeat([]byte{1}, 14)...)
	}
	for len(bits)%8 != 0 {
		bits = append(bits, 1)
	}
	var data []byte
	for ; len(bits) > 0; bits = bits[8:] {
		v := byte(0)
		for _, bit := range bits[:8] {
			v = v<<1 | bit
		}
		if data = append(data, v); v == 0xff {
			data = append(data, 0)
		}
	}
	return data
}
