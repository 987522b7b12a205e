package preprocessing

import (
	"bytes"
	"encoding/binary"
	"testing"

	"tkit/internal/fuzztest"
)

// tiff returns a directory of entries with a tag and a 16-bit value each.
func tiff(order binary.AppendByteOrder, entries ...uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, uint16(len(entries)/2))
	for i := 0; i < len(entries); i += 2 {
		b = order.AppendUint16(b, entries[i])
		b = order.AppendUint16(b, 3) // SHORT
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, entries[i+1])
		b = append(b, 0, 0)
	}
	return order.AppendUint32(b, 0)
}

// withSegments returns the head of a JPEG with APP1 segments with these bodies.
func withSegments(bodies ...[]byte) []byte {
	b := []byte{0xff, 0xd8}
	for _, body := range bodies {
		b = append(b, 0xff, 0xe1)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)+2))
		b = append(b, body...)
	}
	return append(b, 0xff, 0xda, 0, 2)
}

func exif(b []byte) []byte { return append(bytes.Clone(exifHeader), b...) }

func TestOrientationOfJPEG(t *testing.T) {
	six := tiff(binary.LittleEndian, 0x010f, 1, 0x0112, 6)
	for name, c := range map[string]struct {
		jpeg []byte
		want Orientation
	}{
		"none":            {withSegments(), Upright},
		"little endian":   {withSegments(exif(six)), TurnRight},
		"big endian":      {withSegments(exif(tiff(binary.BigEndian, 0x0112, 3))), HalfTurn},
		"behind XMP":      {withSegments([]byte("http://ns.adobe.com/xap/1.0/\x00"), exif(six)), TurnRight},
		"fill byte":       {append([]byte{0xff, 0xd8, 0xff}, withSegments(exif(six))[2:]...), TurnRight},
		"other tags":      {withSegments(exif(tiff(binary.LittleEndian, 0x0100, 8))), Upright},
		"out of range":    {withSegments(exif(tiff(binary.LittleEndian, 0x0112, 9))), Upright},
		"zero":            {withSegments(exif(tiff(binary.LittleEndian, 0x0112, 0))), Upright},
		"cut short":       {withSegments(exif(six[:20])), Upright},
		"no header":       {withSegments(six), Upright},
		"empty":           {nil, Upright},
		"after the scan":  {append(withSegments(), withSegments(exif(six))[2:]...), Upright},
		"directory far":   {withSegments(exif([]byte("II*\x00\xff\xff\xff\xff\x01\x00"))), Upright},
		"segment too far": {[]byte{0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 1, 2}, Upright},
	} {
		if got := OrientationOf(c.jpeg); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	six := tiff(binary.LittleEndian, 0x0112, 6)
	f.Add(withSegments(exif(six)))
	f.Add(six)
	f.Add(append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x1aeXIf"), six...))
	f.Add(append([]byte("RIFF\x00\x00\x00\x00WEBPEXIF\x1a\x00\x00\x00"), six...))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		if o := OrientationOf(b); o < Upright || o > TurnLeft {
			t.Errorf("%d", o)
		}
	})
}
