package inference

import (
	"bytes"
	"encoding/binary"

	"tkit/internal/preprocessing"
)

// orientation is how the stored rows and columns lie to the upright image, by
// the numbers of the EXIF tag (EXIF 2.32 §4.6.4, tag 0x0112).
type orientation int

const (
	upright    orientation = 1
	mirrored   orientation = 2 // left to right
	halfTurn   orientation = 3
	flipped    orientation = 4 // top to bottom
	transposed orientation = 5
	turnRight  orientation = 6 // stored image is to be turned a quarter clockwise
	transverse orientation = 7
	turnLeft   orientation = 8
)

// swaps says whether width and height change places.
func (o orientation) swaps() bool { return o >= transposed }

// orientationOf reads the tag; upright when there is none, or none that can be
// read, as a damaged tag is no reason to refuse the image.
func orientationOf(format preprocessing.Format, encoded []byte) orientation {
	var exif []byte
	switch format {
	case preprocessing.JPEG:
		exif = exifOfJPEG(encoded)
	case preprocessing.PNG:
		exif = chunkOf(encoded, 8, "eXIf", binary.BigEndian, false)
	case preprocessing.WebP:
		exif = chunkOf(encoded, 12, "EXIF", binary.LittleEndian, true)
	}
	return orientationTag(bytes.TrimPrefix(exif, exifHeader))
}

var exifHeader = []byte("Exif\x00\x00")

// exifOfJPEG is the body of the APP1 segment that holds EXIF, nil if none comes
// before the image data.
func exifOfJPEG(b []byte) []byte {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if marker == 0xda || marker == 0xd9 { // start of scan, end of image
			return nil
		}
		end := at + 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		if end < at+4 || end > len(b) {
			return nil
		}
		if body := b[at+4 : end]; marker == 0xe1 && bytes.HasPrefix(body, exifHeader) {
			return body
		}
		at = end
	}
	return nil
}

// chunkOf is the body of the first chunk of that kind in a PNG (length, kind,
// body, checksum) or a RIFF file (kind, length, body, padding to even).
func chunkOf(b []byte, at int, kind string, order binary.ByteOrder, riff bool) []byte {
	for at+8 <= len(b) {
		length, name := b[at:at+4], b[at+4:at+8]
		if riff {
			length, name = name, length
		}
		n := int(order.Uint32(length))
		if n > len(b)-at-8 {
			return nil
		}
		if string(name) == kind {
			return b[at+8 : at+8+n]
		}
		at += 8 + n
		if riff {
			at += n & 1
		} else {
			at += 4
		}
	}
	return nil
}

// orientationTag finds the tag in a TIFF header and its first directory
// (TIFF 6.0 §2): byte order, 42, the directory's offset; there a count and
// entries of 12 bytes: tag, type, count, value.
func orientationTag(b []byte) orientation {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return upright
	}
	if len(b) < 8 {
		return upright
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return upright
	}
	count := int(order.Uint16(b[at:]))
	for i, b := 0, b[at+2:]; i < count && len(b) >= 12; i, b = i+1, b[12:] {
		const tag, short = 0x0112, 3
		if order.Uint16(b) != tag || order.Uint16(b[2:]) != short {
			continue
		}
		if o := orientation(order.Uint16(b[8:])); o >= upright && o <= turnLeft {
			return o
		}
		return upright
	}
	return upright
}
