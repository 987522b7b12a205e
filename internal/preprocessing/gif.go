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

func completeGIF(b []byte) error {
	if len(b) < 13 {
		return ErrTruncated
	}
	at := 13 + colourTable(b[10])
	for at < len(b) {
		switch b[at] {
		case 0x3b: // trailer
			return nil
		case 0x21: // extension: introducer, label, sub-blocks
			at += 2
		case 0x2c: // image: descriptor of 10 bytes, colour table, code size, sub-blocks
			if at+10 > len(b) {
				return ErrTruncated
			}
			at += 10 + colourTable(b[at+9]) + 1
		default:
			return fmt.Errorf("unknown block 0x%02x: %w", b[at], ErrCorrupt)
		}
		for { // sub-blocks, each led by its length, ended by an empty one
			if at >= len(b) {
				return ErrTruncated
			}
			n := int(b[at])
			at += 1 + n
			if n == 0 {
				break
			}
		}
	}
	return fmt.Errorf("no trailer: %w", ErrTruncated)
}

// colourTable is the length in bytes of the table that a GIF's packed field
// announces.
func colourTable(packed byte) int {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}
