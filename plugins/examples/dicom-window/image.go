package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // what comes beside scans
	_ "image/png"
)

// maxPixels bounds the size in a header.
const maxPixels = 1 << 26

// readImage reads a PNG or JPEG; colours become 16-bit grey.
func readImage(file []byte) (scan, error) {
	header, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return scan{}, fmt.Errorf("neither DICOM nor PNG nor JPEG: %w", err)
	}
	if err := sides(header.Width, header.Height); err != nil {
		return scan{}, err
	}
	m, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return scan{}, err
	}
	s := scan{width: header.Width, height: header.Height, slope: 1}
	s.values = make([]int32, 0, s.width*s.height)
	at := m.Bounds()
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			s.values = append(s.values, int32(color.Gray16Model.Convert(m.At(x, y)).(color.Gray16).Y))
		}
	}
	return s, nil
}

func sides(width, height int) error {
	if width <= 0 || height <= 0 {
		return errors.New("it has no pixels")
	}
	if height > maxPixels/width {
		return fmt.Errorf("%d × %d pixels exceed %d", width, height, maxPixels)
	}
	return nil
}
