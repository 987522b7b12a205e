package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// explicitLittleEndian is the supported transfer syntax: uncompressed pixels,
// explicit value representations, least significant byte first (DICOM PS3.5,
// A.2).
const explicitLittleEndian = "1.2.840.10008.1.2.1"

// undefined is the length of elements that end with a delimiter (PS3.5, 7.5).
const undefined = math.MaxUint32

// tag is a group and an element.
type tag uint32

const (
	transferSyntax   tag = 0x0002_0010
	samplesPerPixel  tag = 0x0028_0002
	photometric      tag = 0x0028_0004
	frames           tag = 0x0028_0008
	rows             tag = 0x0028_0010
	columns          tag = 0x0028_0011
	bitsAllocated    tag = 0x0028_0100
	bitsStored       tag = 0x0028_0101
	signed           tag = 0x0028_0103
	windowCentre     tag = 0x0028_1050
	windowWidth      tag = 0x0028_1051
	rescaleIntercept tag = 0x0028_1052
	rescaleSlope     tag = 0x0028_1053
	pixelData        tag = 0x7FE0_0010
)

// isDICOM reports whether a file is a DICOM Part 10 file: it has a preamble and
// a prefix.
func isDICOM(file []byte) bool { return len(file) >= 132 && string(file[128:132]) == "DICM" }

// readDICOM reads one frame of uncompressed grey pixels.
func readDICOM(file []byte) (scan, error) {
	elements, err := readElements(file[132:])
	if err != nil {
		return scan{}, fmt.Errorf("DICOM: %w", err)
	}
	s, err := elements.scan()
	if err != nil {
		return scan{}, fmt.Errorf("DICOM: %w", err)
	}
	return s, nil
}

// elements holds the values of a data set's top level.
type elements map[tag][]byte

// readElements reads up to the pixels, the last element needed.
func readElements(rest []byte) (elements, error) {
	found := elements{}
	for len(rest) > 0 {
		t, value, after, err := readElement(rest)
		if err != nil {
			return nil, err
		}
		found[t], rest = value, after
		if t>>16 > 2 {
			if syntax := found.text(transferSyntax); syntax != explicitLittleEndian {
				return nil, fmt.Errorf("transfer syntax %q: only %s is supported, uncompressed explicit-VR little-endian; convert it first", syntax, explicitLittleEndian)
			}
		}
		if t == pixelData {
			return found, nil
		}
	}
	return nil, errors.New("it has no pixels")
}

// readElement reads one element (PS3.5, 7.1.2) and returns the rest. The value
// of a sequence is skipped.
func readElement(b []byte) (t tag, value, after []byte, err error) {
	if len(b) < 8 {
		return 0, nil, nil, errors.New("it ends within an element")
	}
	t = tag(binary.LittleEndian.Uint16(b))<<16 | tag(binary.LittleEndian.Uint16(b[2:]))
	representation := string(b[4:6])
	length, head := uint32(binary.LittleEndian.Uint16(b[6:])), 8
	switch representation {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		if len(b) < 12 {
			return 0, nil, nil, errors.New("it ends within an element")
		}
		length, head = binary.LittleEndian.Uint32(b[8:]), 12
	}
	if length == undefined {
		if representation != "SQ" {
			return 0, nil, nil, fmt.Errorf("element (%04X,%04X) is in fragments: it is compressed or damaged", uint16(t>>16), uint16(t))
		}
		return 0, nil, nil, fmt.Errorf("sequence (%04X,%04X) has no length; write it with explicit lengths", uint16(t>>16), uint16(t))
	}
	if uint64(length) > uint64(len(b)-head) {
		return 0, nil, nil, fmt.Errorf("element (%04X,%04X) has %d bytes of %d", uint16(t>>16), uint16(t), len(b)-head, length)
	}
	end := head + int(length)
	return t, b[head:end], b[end:], nil
}

func (e elements) text(t tag) string { return strings.Trim(string(e[t]), " \x00") }

// number returns a US, or otherwise if it is missing.
func (e elements) number(t tag, otherwise int) int {
	if len(e[t]) < 2 {
		return otherwise
	}
	return int(binary.LittleEndian.Uint16(e[t]))
}

// decimal returns the first number of a DS; false if there is none.
func (e elements) decimal(t tag) (float64, bool, error) {
	first, _, _ := strings.Cut(e.text(t), `\`)
	if first = strings.TrimSpace(first); first == "" {
		return 0, false, nil
	}
	x, err := strconv.ParseFloat(first, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false, fmt.Errorf("(%04X,%04X) is %q, not a number", uint16(t>>16), uint16(t), first)
	}
	return x, true, nil
}

func (e elements) scan() (scan, error) {
	s := scan{width: e.number(columns, 0), height: e.number(rows, 0), slope: 1}
	if err := sides(s.width, s.height); err != nil {
		return s, err
	}
	switch p := e.text(photometric); p {
	case "MONOCHROME1":
		s.inverted = true
	case "MONOCHROME2":
	default:
		return s, fmt.Errorf("photometric interpretation %q: want MONOCHROME1 or MONOCHROME2", p)
	}
	if n := e.number(samplesPerPixel, 1); n != 1 {
		return s, fmt.Errorf("%d samples per pixel, want 1", n)
	}
	if n := e.text(frames); n != "" && n != "1" {
		return s, fmt.Errorf("%s frames, want one", n)
	}
	if err := e.rescaling(&s); err != nil {
		return s, err
	}
	return s, e.pixels(&s)
}

// rescaling reads how values are rescaled and displayed.
func (e elements) rescaling(s *scan) error {
	slope, named, err := e.decimal(rescaleSlope)
	if named {
		s.slope = slope
	}
	intercept, _, err2 := e.decimal(rescaleIntercept)
	s.intercept = intercept
	centre, _, err3 := e.decimal(windowCentre)
	width, viewed, err4 := e.decimal(windowWidth)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return err
	}
	if viewed {
		if width < 1 {
			return fmt.Errorf("its window is %v wide, want at least 1", width)
		}
		s.view = &view{centre, width}
	}
	return nil
}

// pixels reads the stored values: the low bits of each cell, PS3.5, 8.1.
func (e elements) pixels(s *scan) error {
	cell := e.number(bitsAllocated, 16)
	bits := e.number(bitsStored, cell)
	if cell != 8 && cell != 16 || bits < 1 || bits > cell {
		return fmt.Errorf("%d bits in %d: want up to 8 in 8 or up to 16 in 16", bits, cell)
	}
	data, n := e[pixelData], s.width*s.height
	if len(data) < n*cell/8 {
		return fmt.Errorf("%d bytes of pixels, want %d", len(data), n*cell/8)
	}
	s.values = make([]int32, n)
	for i := range s.values {
		v := uint32(data[i*cell/8])
		if cell == 16 {
			v |= uint32(data[2*i+1]) << 8
		}
		unused := 32 - bits
		if v <<= unused; e.number(signed, 0) == 1 {
			s.values[i] = int32(v) >> unused
		} else {
			s.values[i] = int32(v >> unused)
		}
	}
	return nil
}
