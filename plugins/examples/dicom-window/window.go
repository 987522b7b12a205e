package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"

	"tkit/plugins"
)

// schema is the schema of config.
const schema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"properties": {
		"centre":    {"type": "number", "description": "middle of the window, in rescaled values"},
		"width":     {"type": "number", "minimum": 1, "description": "width of the window, in rescaled values"},
		"slope":     {"type": "number", "description": "rescaled value = slope × stored value + intercept; overrides the file"},
		"intercept": {"type": "number"},
		"invert":    {"type": "boolean", "description": "show small values white, as in MONOCHROME1 files; overrides the file"}
	},
	"dependentRequired": {"centre": ["width"], "width": ["centre"], "slope": ["intercept"], "intercept": ["slope"]},
	"additionalProperties": false
}`

// config is the step's configuration. Missing values are taken from the file.
type config struct {
	Centre, Width    *float64
	Slope, Intercept *float64
	Invert           *bool
}

// scan is a grey image as stored.
type scan struct {
	width, height    int
	values           []int32 // row by row
	slope, intercept float64
	view             *view // nil if the file has none
	inverted         bool  // small values are white
}

// view is a range of rescaled values, displayed from black to white.
type view struct{ centre, width float64 }

type window struct{}

func (window) Describe() plugins.Description {
	return plugins.Description{
		Name: "dicom-window", Version: "1.0.0",
		Summary:      "16-bit DICOM and PNG through a window, as 8-bit PNG",
		ConfigSchema: json.RawMessage(schema),
		// PNG rather than pixels, because the images of a batch may differ in
		// size.
		Takes: plugins.Form{Kind: plugins.Encoded}, Gives: plugins.Form{Kind: plugins.Encoded},
		Deterministic: true,
	}
}

func (window) Process(ctx context.Context, text json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
	var c config
	if len(text) > 0 {
		if err := json.Unmarshal(text, &c); err != nil {
			return plugins.Batch{}, fmt.Errorf("configuration: %w", err)
		}
	}
	out := plugins.NewBatch(plugins.Encoded, in.Count, in.Shape)
	for i, file := range in.Encoded {
		if err := ctx.Err(); err != nil {
			return plugins.Batch{}, err
		}
		s, err := read(file)
		if err != nil {
			return plugins.Batch{}, &plugins.ImageError{Image: i, Reason: err.Error()}
		}
		if out.Encoded[i], err = encode(s.show(c)); err != nil {
			return plugins.Batch{}, err
		}
	}
	return out, nil
}

func read(file []byte) (scan, error) {
	if isDICOM(file) {
		return readDICOM(file)
	}
	return readImage(file)
}

// show displays the scan through its window. The conversions to float64 keep
// compilers from fusing operations, which would round differently by machine.
func (s scan) show(c config) *image.Gray {
	if c.Slope != nil && c.Intercept != nil {
		s.slope, s.intercept = *c.Slope, *c.Intercept
	}
	if c.Centre != nil && c.Width != nil {
		s.view = &view{*c.Centre, *c.Width}
	}
	if c.Invert != nil {
		s.inverted = *c.Invert
	}
	rescaled := make([]float64, len(s.values))
	for i, v := range s.values {
		rescaled[i] = float64(s.slope*float64(v)) + s.intercept
	}
	v := s.view
	if v == nil {
		v = whole(rescaled)
	}
	shown := image.NewGray(image.Rect(0, 0, s.width, s.height))
	for i, x := range rescaled {
		shown.Pix[i] = v.level(x)
		if s.inverted {
			shown.Pix[i] = 255 - shown.Pix[i]
		}
	}
	return shown
}

// whole returns the view with the smallest value black and the greatest white.
func whole(values []float64) *view {
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, x := range values {
		least, greatest = min(least, x), max(greatest, x)
	}
	return &view{centre: float64((least+greatest)/2) + 0.5, width: greatest - least + 1}
}

// level returns a value's grey level, by the linear function of DICOM PS3.3
// C.11.2.1.2.1.
func (v view) level(x float64) uint8 {
	from := v.centre - 0.5
	half := (v.width - 1) / 2
	switch {
	case !(x > from-half): // NaN, caused by an absurd slope, is black
		return 0
	case x > from+half:
		return 255
	}
	return uint8(math.Round(float64((float64((x-from)/(v.width-1)) + 0.5) * 255)))
}

func encode(shown *image.Gray) ([]byte, error) {
	var b bytes.Buffer
	// The next step decodes it at once: compression would only cost time.
	encoder := png.Encoder{CompressionLevel: png.NoCompression}
	err := encoder.Encode(&b, shown)
	return b.Bytes(), err
}
