package preprocessing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	markerSOF0 = 0xc0 // baseline
	markerSOF1 = 0xc1 // extended sequential
	markerSOF2 = 0xc2 // progressive
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerSOF9 = 0xc9 // extended sequential, arithmetic coding
	markerSOFa = 0xca // progressive, arithmetic coding
	markerDAC  = 0xcc
	markerSOFf = 0xcf
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1
)

// segments iterates over the marker segments of a JPEG after SOI.
type segments struct {
	b  []byte
	at int
}

// next returns the next marker and, unless it has none, its segment without the
// length. After an SOS the next call skips the entropy-coded data.
//
// It finds every marker that libjpeg finds: the reserved markers below SOF0
// have no length, because libjpeg looks for a restart marker right after them.
// So nothing can be hidden in their segments.
func (s *segments) next() (marker byte, segment []byte, err error) {
	for {
		i := bytes.IndexByte(s.b[min(s.at, len(s.b)):], 0xff)
		if i < 0 {
			return 0, nil, ErrTruncated
		}
		s.at += i
		for s.at < len(s.b) && s.b[s.at] == 0xff { // fill bytes
			s.at++
		}
		if s.at == len(s.b) {
			return 0, nil, ErrTruncated
		}
		marker = s.b[s.at]
		s.at++
		switch {
		case marker < markerSOF0, markerRST0 <= marker && marker <= markerRST7:
			continue // a stuffed byte, a reserved marker or a restart
		case marker == markerSOI, marker == markerEOI:
			return marker, nil, nil
		}
		if s.at+2 > len(s.b) {
			return marker, nil, ErrTruncated
		}
		n := int(binary.BigEndian.Uint16(s.b[s.at:]))
		if n < 2 {
			return marker, nil, fmt.Errorf("segment 0x%02x shorter than its own length: %w", marker, ErrCorrupt)
		}
		if s.at+n > len(s.b) {
			return marker, nil, fmt.Errorf("segment 0x%02x ends after the file: %w", marker, ErrTruncated)
		}
		segment = s.b[s.at+2 : s.at+n]
		s.at += n
		return marker, segment, nil
	}
}

// isSOF reports whether a marker starts a frame of any coding process.
func isSOF(m byte) bool {
	return m >= markerSOF0 && m <= markerSOFf && m != markerDHT && m != markerJPG && m != markerDAC
}

// frame holds a JPEG's frame header.
type frame struct {
	process       byte // the marker, which gives the coding process
	precision     int  // bits per sample
	width, height int
	components    []component
}

// component is one of a frame's planes: grey, luma, chroma or ink.
type component struct {
	id         byte
	horizontal int // sampling factors, relative to those of the other components
	vertical   int
	scans      int // counted by the caller
}

// readFrame parses the header after a SOF marker.
func readFrame(process byte, segment []byte) (f frame, err error) {
	// precision 1, lines 2, samples per line 2, components 1, then 3 for each
	if len(segment) < 6 || len(segment) < 6+3*int(segment[5]) {
		return f, fmt.Errorf("frame header of %d bytes: %w", len(segment), ErrCorrupt)
	}
	f = frame{
		process: process, precision: int(segment[0]),
		height: int(binary.BigEndian.Uint16(segment[1:])), width: int(binary.BigEndian.Uint16(segment[3:])),
	}
	for c := range slices.Chunk(segment[6:6+3*int(segment[5])], 3) {
		f.components = append(f.components, component{id: c[0], horizontal: int(c[1] >> 4), vertical: int(c[1] & 15)})
	}
	return f, nil
}

// frame advances to the frame header, which must precede the image data.
func (s *segments) frame() (frame, error) {
	for {
		marker, segment, err := s.next()
		if err != nil {
			return frame{}, err
		}
		switch {
		case isSOF(marker):
			return readFrame(marker, segment)
		case marker == markerSOS, marker == markerEOI:
			return frame{}, fmt.Errorf("no frame header before the image data: %w", ErrCorrupt)
		}
	}
}

func sniffJPEG(b []byte) (width, height int, err error) {
	s := segments{b: b, at: 2}
	f, err := s.frame()
	return f.width, f.height, err
}
