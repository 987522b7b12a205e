package preprocessing

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	markerTEM  = 0x01
	markerSOF0 = 0xc0
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerSOFf = 0xcf
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
)

// segments walks the marker segments of a JPEG from the one after SOI.
type segments struct {
	b  []byte
	at int
}

// next returns the following marker and, unless it stands alone, its segment
// without the length. After an SOS the next call skips the entropy-coded data.
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
		case marker == 0, marker == markerTEM, markerRST0 <= marker && marker <= markerRST7:
			continue // a stuffed byte or a restart, inside entropy-coded data
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

// isSOF says whether a marker starts a frame, of whichever coding process.
func isSOF(m byte) bool {
	return m >= markerSOF0 && m <= markerSOFf && m != markerDHT && m != markerJPG && m != markerDAC
}

func sniffJPEG(b []byte) (width, height int, err error) {
	s := segments{b: b, at: 2}
	for {
		marker, segment, err := s.next()
		if err != nil {
			return 0, 0, err
		}
		switch {
		case isSOF(marker):
			if len(segment) < 6 {
				return 0, 0, fmt.Errorf("frame header of %d bytes: %w", len(segment), ErrCorrupt)
			}
			// precision 1, lines 2, samples a line 2, components 1
			height = int(binary.BigEndian.Uint16(segment[1:]))
			width = int(binary.BigEndian.Uint16(segment[3:]))
			return width, height, nil
		case marker == markerSOS, marker == markerEOI:
			return 0, 0, fmt.Errorf("no frame header before the image data: %w", ErrCorrupt)
		}
	}
}

func completeJPEG(b []byte) error {
	s := segments{b: b, at: 2}
	scans := 0
	for {
		marker, _, err := s.next()
		if err != nil {
			return fmt.Errorf("no end of image: %w", err)
		}
		switch marker {
		case markerSOS:
			scans++
		case markerEOI:
			if scans == 0 {
				return fmt.Errorf("no scan before the end of image: %w", ErrTruncated)
			}
			return nil
		}
	}
}
