package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"tkit/internal/preprocessing"
)

// Batch is a number of images of one kind and, for pixels, of one shape.
type Batch = preprocessing.Batch

// Kind is the kind of images in a Batch.
type Kind = preprocessing.Kind

// The kinds of a Batch.
const (
	Encoded = preprocessing.Encoded
	Uint8   = preprocessing.Uint8
	Float32 = preprocessing.Float32
)

// Preprocessor turns batches of images into batches of images.
type Preprocessor interface {
	// Describe returns the preprocessor's description. It is constant.
	Describe() Description
	// Process returns as many images as it takes, in the same order. The result
	// for an image must not depend on the other images of the batch.
	//
	// config is a JSON object that the host has validated against the schema of
	// the Description, or empty if there is no schema. Calls do not overlap
	// within one process; the host runs several processes instead.
	//
	// The batch's memory may be reused after the call: Process must not modify
	// or keep it, but may return it or a part of it. Process returns soon after
	// ctx ends.
	//
	// An *ImageError means that an image is at fault; any other error means
	// that the preprocessor is.
	Process(ctx context.Context, config json.RawMessage, in Batch) (Batch, error)
}

// Description describes a preprocessor.
type Description struct {
	// Name has lower-case letters, digits and hyphens, such as "dicom-window".
	Name string `json:"name"`
	// Version is MAJOR.MINOR.PATCH, optionally with the suffixes of semantic
	// versioning.
	Version string `json:"version"`
	// Summary describes the purpose in one line.
	Summary string `json:"summary,omitempty"`
	// ConfigSchema is a JSON Schema (draft 2020-12) for the configuration,
	// which is an object. Without a schema there is no configuration.
	ConfigSchema json.RawMessage `json:"config_schema,omitempty"`
	// Takes and Gives describe the images before and after.
	Takes Form `json:"takes"`
	Gives Form `json:"gives"`
	// Deterministic promises that equal batches and configurations give equal
	// results, to the last bit, in every process on every machine. Results may
	// then be cached.
	Deterministic bool `json:"deterministic"`
}

// The sides of a Form that are not a number of pixels.
const (
	// Any size is accepted; in Gives: the size of the input.
	Any = 0
	// Varies is a size that Process chooses for each batch. A resize must
	// follow.
	Varies = -1
)

// Form is a kind of image with its height, width and channels, each a number,
// Any or, in Gives, Varies. Encoded images have no shape.
type Form struct {
	Kind  Kind   `json:"kind"`
	Shape [3]int `json:"shape"`
}

// maxSide is the largest height, width or number of channels of a Form.
const maxSide = 1 << 16

var (
	names    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	versions = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

// checkName refuses a name that no plugin may have.
func checkName(name string) error {
	if len(name) > 64 || !names.MatchString(name) {
		return fmt.Errorf("name %q: want up to 64 lower-case letters, digits and single hyphens, such as dicom-window", name)
	}
	return nil
}

// Validate checks the description. The host validates the schema, because it
// has a JSON Schema library.
func (d Description) Validate() error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	switch {
	case len(d.Version) > 64 || !versions.MatchString(d.Version):
		return fmt.Errorf("version %q: want MAJOR.MINOR.PATCH, such as 1.0.0", d.Version)
	case len(d.ConfigSchema) > 0 && !json.Valid(d.ConfigSchema):
		return errors.New("the configuration's schema is not JSON")
	}
	if err := d.Takes.validate(Any); err != nil {
		return fmt.Errorf("takes: %w", err)
	}
	if err := d.Gives.validate(Varies); err != nil {
		return fmt.Errorf("gives: %w", err)
	}
	if d.Takes.Kind == Encoded && d.Gives.Kind != Encoded {
		for _, side := range d.Gives.Shape {
			if side == Any {
				return errors.New("gives: encoded images have no size to keep: set one, or use Varies")
			}
		}
	}
	return nil
}

// String returns the name and version, such as "invert@1.0.0".
func (d Description) String() string { return d.Name + "@" + d.Version }

func (f Form) validate(least int) error {
	switch f.Kind {
	case Encoded:
		if f.Shape != [3]int{} {
			return fmt.Errorf("encoded images have no shape, got %v", f.Shape)
		}
		return nil
	case Uint8, Float32:
	default:
		return fmt.Errorf("%s: want encoded, uint8 or float32", f.Kind)
	}
	for _, side := range f.Shape {
		if side < least || side > maxSide {
			return fmt.Errorf("shape %v: a side is from %d to %d", f.Shape, least, maxSide)
		}
	}
	return nil
}

// Admits returns an error if a preprocessor that takes f cannot take a batch.
func (f Form) Admits(b Batch) error {
	if b.Kind != f.Kind {
		return fmt.Errorf("takes %s images, got %s", f.Kind, b.Kind)
	}
	for i, side := range f.Shape {
		if side != Any && side != b.Shape[i] {
			return fmt.Errorf("takes images of %s, got %s", shape(f.Shape), shape(b.Shape))
		}
	}
	return nil
}

// Answers returns an error if out cannot be the result for in of a preprocessor
// that gives f. It does not check the values.
func (f Form) Answers(in, out Batch) error {
	if err := out.Validate(); err != nil {
		return err
	}
	if out.Count != in.Count {
		return fmt.Errorf("returned %d images for %d", out.Count, in.Count)
	}
	if out.Kind != f.Kind {
		return fmt.Errorf("gives %s images, returned %s", f.Kind, out.Kind)
	}
	for i, side := range f.Shape {
		if side == Any {
			side = in.Shape[i]
		}
		if f.Kind != Encoded && side != Varies && side != out.Shape[i] {
			return fmt.Errorf("gives images of %s for %s, returned %s", shape(f.Shape), shape(in.Shape), shape(out.Shape))
		}
	}
	return nil
}

// String returns the form as text, such as "uint8 224×224×3" or "float32
// any×any×1".
func (f Form) String() string {
	if f.Kind == Encoded {
		return f.Kind.String()
	}
	return f.Kind.String() + " " + shape(f.Shape)
}

func shape(s [3]int) string {
	text := ""
	for i, side := range s {
		if i > 0 {
			text += "×"
		}
		switch side {
		case Any:
			text += "any"
		case Varies:
			text += "varying"
		default:
			text += fmt.Sprint(side)
		}
	}
	return text
}

// NewBatch returns an empty batch of count images.
func NewBatch(kind Kind, count int, shape [3]int) Batch {
	b := Batch{Kind: kind, Count: count, Shape: shape}
	switch kind {
	case Encoded:
		b.Encoded = make([][]byte, count)
	case Uint8:
		b.Uint8 = make([]uint8, count*b.Elements())
	case Float32:
		b.Float32 = make([]float32, count*b.Elements())
	}
	return b
}

// ImageError is the fault of one image, not of the preprocessor: the image can
// be set aside and the rest of its batch retried.
type ImageError struct {
	Image  int // its index in the batch, from 0
	Reason string
}

func (e *ImageError) Error() string { return fmt.Sprintf("image %d: %s", e.Image+1, e.Reason) }
