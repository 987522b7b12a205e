package preprocessing

import (
	"bytes"
	"encoding/binary"
)

// Orientation relates the stored rows and columns to the upright image,
// numbered as in the EXIF tag (EXIF 2.32 §4.6.4, tag 0x0112).
type Orientation int

// The orientations.
const (
	Upright    Orientation = 1
	Mirrored   Orientation = 2 // left to right
	HalfTurn   Orientation = 3
	Flipped    Orientation = 4 // top to bottom
	Transposed Orientation = 5
	TurnRight  Orientation = 6 // turn the stored image a quarter clockwise
	Transverse Orientation = 7
	TurnLeft   Orientation = 8
)

// Swaps reports whether width and height are exchanged.
func (o Orientation) Swaps() bool { return o >= Transposed }

// OrientationOf returns the EXIF orientation of an encoded image: from the APP1
// segment of a JPEG, the eXIf chunk of a PNG or the EXIF chunk of a WebP. It is
// Upright if there is none or it cannot be parsed, because a damaged tag is no
// reason to refuse the image. It takes time linear in the bytes before the tag.
func OrientationOf(b []byte) Orientation {
	var exif []byte
	switch formatOf(b) {
	case JPEG:
		exif = exifOfJPEG(b)
	case PNG:
		exif = exifOfPNG(b)
	case WebP:
		exif = exifOfWebP(b)
	}
	return orientationTag(bytes.TrimPrefix(exif, exifHeader))
}

var exifHeader = []byte("Exif\x00\x00")

// exifOfJPEG returns the body of the APP1 segment with EXIF, nil if there is
// none before the image data.
func exifOfJPEG(b []byte) []byte {
	for s := (segments{b: b, at: 2}); ; {
		marker, body, err := s.next()
		if err != nil || marker == markerSOS || marker == markerEOI {
			return nil
		}
		if marker == markerAPP1 && bytes.HasPrefix(body, exifHeader) {
			return body
		}
	}
}

// exifOfPNG returns the body of the first eXIf chunk, which may follow the
// pixels.
func exifOfPNG(b []byte) []byte {
	for chunks := newPNGChunks(b); ; {
		kind, body, err := chunks.next()
		if err != nil || kind == "IEND" {
			return nil
		}
		if kind == "eXIf" {
			return body
		}
	}
}

// exifOfWebP returns the body of the first EXIF chunk.
func exifOfWebP(b []byte) []byte {
	for at := int64(12); ; {
		c, err := chunkAt(b, at)
		if err != nil {
			return nil
		}
		if c.kind == "EXIF" {
			return c.body
		}
		if c.next == 0 {
			return nil
		}
		at = c.next
	}
}

// orientationTag finds the tag in a TIFF header and its first directory (TIFF
// 6.0 §2): byte order, 42, and the directory's offset; the directory has a
// count and entries of 12 bytes: tag, type, count, value.
func orientationTag(b []byte) Orientation {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return Upright
	}
	if len(b) < 8 {
		return Upright
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return Upright
	}
	count := int(order.Uint16(b[at:]))
	for i, b := 0, b[at+2:]; i < count && len(b) >= 12; i, b = i+1, b[12:] {
		const tag, short = 0x0112, 3
		if order.Uint16(b) != tag || order.Uint16(b[2:]) != short {
			continue
		}
		if o := Orientation(order.Uint16(b[8:])); o >= Upright && o <= TurnLeft {
			return o
		}
		return Upright
	}
	return Upright
}
