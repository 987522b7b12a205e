package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/internal/needs"
	"tkit/plugins"
	"tkit/plugins/preprocesstest"
)

func TestConformance(t *testing.T) {
	needs.Minutes(t)
	preprocesstest.Run(t, window{}, preprocesstest.Options{
		Config:  json.RawMessage(`{"centre": 1000, "width": 2000}`),
		Samples: [][]byte{dicom(nil), scan16(t, 0, 1000, 2000, 65535)},
	})
}

// dicom returns a file of 2 × 2 values of 12 bits, with the given elements.
func dicom(set map[tag]string) []byte {
	all := map[tag]string{
		transferSyntax: explicitLittleEndian + "\x00", photometric: "MONOCHROME2 ",
		samplesPerPixel: "\x01\x00", rows: "\x02\x00", columns: "\x02\x00",
		bitsAllocated: "\x10\x00", bitsStored: "\x0c\x00", signed: "\x00\x00",
		pixelData: "\x00\x00\x00\x04\x00\x08\xff\x0f", // 0, 1024, 2048, 4095
	}
	for t, value := range set {
		all[t] = value
	}
	representations := map[tag]string{transferSyntax: "UI", photometric: "CS", frames: "IS", windowCentre: "DS",
		windowWidth: "DS", rescaleIntercept: "DS", rescaleSlope: "DS", pixelData: "OW", 0x0008_1140: "SQ"}
	var tags []tag
	for t := range all {
		tags = append(tags, t)
	}
	slices.Sort(tags)
	file := append(make([]byte, 128), "DICM"...)
	for _, t := range tags {
		value := all[t]
		file = binary.LittleEndian.AppendUint16(file, uint16(t>>16))
		file = binary.LittleEndian.AppendUint16(file, uint16(t))
		switch r := representations[t]; r {
		case "OW", "SQ":
			file = append(file, r+"\x00\x00"...)
			file = binary.LittleEndian.AppendUint32(file, uint32(len(value)))
		case "":
			file = append(file, "US"...)
			file = binary.LittleEndian.AppendUint16(file, uint16(len(value)))
		default:
			file = append(file, r...)
			file = binary.LittleEndian.AppendUint16(file, uint16(len(value)))
		}
		file = append(file, value...)
	}
	return file
}

// scan16 returns a 16-bit PNG of one row.
func scan16(t testing.TB, values ...uint16) []byte {
	t.Helper()
	m := image.NewGray16(image.Rect(0, 0, len(values), 1))
	for x, v := range values {
		m.SetGray16(x, 0, color.Gray16{Y: v})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWindow(t *testing.T) {
	for name, c := range map[string]struct {
		file   []byte
		config string
		want   []uint8
	}{
		"PNG, whole range":       {scan16(t, 1000, 1255, 1100), ``, []uint8{0, 255, 100}},
		"PNG, window":            {scan16(t, 0, 1000, 1100, 1255, 60000), `{"centre": 1128, "width": 256}`, []uint8{0, 0, 100, 255, 255}},
		"PNG, one value":         {scan16(t, 700, 700), ``, []uint8{0, 0}},
		"PNG, inverted":          {scan16(t, 1000, 1255), `{"invert": true}`, []uint8{255, 0}},
		"DICOM, whole range":     {dicom(nil), ``, []uint8{0, 64, 128, 255}},
		"its window":             {dicom(map[tag]string{windowCentre: "1024.5", windowWidth: "2049 "}), ``, []uint8{0, 128, 255, 255}},
		"first of its windows":   {dicom(map[tag]string{windowCentre: `1024.5\9`, windowWidth: `2049\9 `}), ``, []uint8{0, 128, 255, 255}},
		"rescaled":               {dicom(map[tag]string{rescaleSlope: "2 ", rescaleIntercept: "-2048 "}), `{"centre": 0.5, "width": 4097}`, []uint8{0, 128, 255, 255}},
		"configured rescaling":   {dicom(map[tag]string{rescaleSlope: "9 "}), `{"slope": 1, "intercept": -1024, "centre": 0.5, "width": 2049}`, []uint8{0, 128, 255, 255}},
		"MONOCHROME1":            {dicom(map[tag]string{photometric: "MONOCHROME1 "}), ``, []uint8{255, 191, 127, 0}},
		"signed":                 {dicom(map[tag]string{signed: "\x01\x00"}), `{"centre": 0.5, "width": 2}`, []uint8{128, 255, 0, 0}},
		"bits above are ignored": {dicom(map[tag]string{pixelData: "\x00\xf0\x00\x04\x00\x08\xff\xff"}), ``, []uint8{0, 64, 128, 255}},
		"a sequence before":      {dicom(map[tag]string{0x0008_1140: "anything"}), ``, []uint8{0, 64, 128, 255}},
	} {
		t.Run(name, func(t *testing.T) {
			in := plugins.Batch{Kind: plugins.Encoded, Count: 1, Encoded: [][]byte{c.file}}
			out, err := window{}.Process(t.Context(), json.RawMessage(c.config), in)
			if err != nil {
				t.Fatal(err)
			}
			m, err := png.Decode(bytes.NewReader(out.Encoded[0]))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.(*image.Gray).Pix; !slices.Equal(got, c.want) {
				t.Errorf("shown as %v, want %v", got, c.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"text":          {[]byte("no image"), "neither DICOM nor PNG nor JPEG"},
		"compressed":    {dicom(map[tag]string{transferSyntax: "1.2.840.10008.1.2.4.50"}), "convert it first"},
		"colour":        {dicom(map[tag]string{photometric: "RGB "}), "MONOCHROME1 or MONOCHROME2"},
		"frames":        {dicom(map[tag]string{frames: "12"}), "12 frames"},
		"short":         {dicom(map[tag]string{pixelData: "\x00\x00"}), "2 bytes of pixels, want 8"},
		"huge":          {dicom(map[tag]string{rows: "\xff\xff", columns: "\xff\xff"}), "exceed"},
		"no number":     {dicom(map[tag]string{rescaleSlope: "NaN "}), "not a number"},
		"narrow window": {dicom(map[tag]string{windowCentre: "1 ", windowWidth: "0 "}), "at least 1"},
		"bits":          {dicom(map[tag]string{bitsAllocated: "\x20\x00"}), "12 bits in 32"},
		"no pixels":     {dicom(nil)[:160], "it has no pixels"},
		"cut value":     {dicom(nil)[:150], "has 10 bytes of 20"},
		"cut element":   {dicom(nil)[:139], "ends within an element"},
	} {
		t.Run(name, func(t *testing.T) {
			in := plugins.Batch{Kind: plugins.Encoded, Count: 2, Encoded: [][]byte{dicom(nil), c.file}}
			_, err := window{}.Process(t.Context(), nil, in)
			var fault *plugins.ImageError
			if !errors.As(err, &fault) || fault.Image != 1 || !strings.Contains(fault.Reason, c.want) {
				t.Errorf("error %v, want one about the second image: %q", err, c.want)
			}
		})
	}
}

func FuzzReadDICOM(f *testing.F) {
	f.Add(dicom(nil)[132:])
	f.Add(dicom(map[tag]string{signed: "\x01\x00", windowCentre: `1\2`, windowWidth: "2 ", rescaleSlope: "1e300 "})[132:])
	preamble := append(make([]byte, 128), "DICM"...)
	f.Fuzz(func(t *testing.T, set []byte) {
		defer fuzztest.Watch(t, len(set))()
		s, err := readDICOM(append(slices.Clone(preamble), set...))
		if err != nil {
			return
		}
		if shown := s.show(config{}); len(shown.Pix) != s.width*s.height {
			t.Errorf("%d pixels of %d × %d", len(shown.Pix), s.width, s.height)
		}
	})
}
