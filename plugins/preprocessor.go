package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"tkit/internal/preprocessing"
)

// Batch is a number of images of one kind and, where they are pixels, of one
// shape.
type Batch = preprocessing.Batch

// Kind is what a Batch holds.
type Kind = preprocessing.Kind

// The kinds of a Batch.
const (
	Encoded = preprocessing.Encoded
	Uint8   = preprocessing.Uint8
	Float32 = preprocessing.Float32
)

// Preprocessor turns batches of images into batches of images.
type Preprocessor interface {
	// Describe says what the preprocessor is. It is constant.
	Describe() Description
	// Process gives as many images as it takes, in the same order, whatever
	// else is in the batch: an image's answer must not depend on its neighbours.
	//
	// config is a JSON object that the host has checked against the schema of
	// the Description, or empty where there is no schema. Calls do not overlap
	// within one process; the host runs several processes instead.
	//
	// The batch may lie in memory that is used again after the call: Process
	// neither changes nor keeps it, but may answer with it or a part of it.
	// Process returns soon after ctx ends.
	//
	// An *ImageError says that an image is at fault; any other error that the
	// preprocessor is.
	Process(ctx context.Context, config json.RawMessage, in Batch) (Batch, error)
}

// Description is what a preprocessor says of itself.
type Description struct {
	// Name is of lower-case letters, digits and hyphens, such as "dicom-window".
	Name string `json:"name"`
	// Version is MAJOR.MINOR.PATCH, with what semantic versioning allows after.
	Version string `json:"version"`
	// Summary says in a line what it is good for.
	Summary string `json:"summary,omitempty"`
	// ConfigSchema is a JSON Schema (draft 2020-12) for the configuration, which
	// is an object. Without one there is no configuration.
	ConfigSchema json.RawMessage `json:"config_schema,omitempty"`
	// Takes and Gives are the images before and after.
	Takes Form `json:"takes"`
	Gives Form `json:"gives"`
	// Deterministic promises that equal batches and configurations have equal
	// answers, to the last bit, in every process on every machine. What was
	// computed once may then be kept.
	Deterministic bool `json:"deterministic"`
}

// The sides of a Form that are not a number of pixels.
const (
	// Any size is taken; in what is given: the size that was taken.
	Any = 0
	// Varies is a size that Process decides by batch. A resize must follow.
	Varies = -1
)

// Form is a kind of image with its height, width and channels, each a number,
// Any or, in what is given, Varies. Encoded images have no shape.
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

// Validate says what is wrong with a description. Whether the schema is one is
// for the host to say, which knows JSON Schema.
func (d Description) Validate() error {
	switch {
	case len(d.Name) > 64 || !names.MatchString(d.Name):
		return fmt.Errorf("name %q: want up to 64 lower-case letters, digits and single hyphens, such as dicom-window", d.Name)
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
				return errors.New("gives: encoded images have no size to keep: name one, or say Varies")
			}
		}
	}
	return nil
}

// String is such as "invert@1.0.0".
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

// Admits says why a preprocessor that takes f cannot take a batch, or nil.
func (f Form) Admits(b Batch) error {
	if b.Kind != f.Kind {
		return fmt.Errorf("takes %s images, given %s", f.Kind, b.Kind)
	}
	for i, side := range f.Shape {
		if side != Any && side != b.Shape[i] {
			return fmt.Errorf("takes images of %s, given %s", shape(f.Shape), shape(b.Shape))
		}
	}
	return nil
}

// Answers says why out cannot be the answer of a preprocessor that gives f to
// in, or nil. It does not look at the values.
func (f Form) Answers(in, out Batch) error {
	if err := out.Validate(); err != nil {
		return err
	}
	if out.Count != in.Count {
		return fmt.Errorf("answered %d images for %d", out.Count, in.Count)
	}
	if out.Kind != f.Kind {
		return fmt.Errorf("gives %s images, answered %s", f.Kind, out.Kind)
	}
	for i, side := range f.Shape {
		if side == Any {
			side = in.Shape[i]
		}
		if f.Kind != Encoded && side != Varies && side != out.Shape[i] {
			return fmt.Errorf("gives images of %s for %s, answered %s", shape(f.Shape), shape(in.Shape), shape(out.Shape))
		}
	}
	return nil
}

// String is such as "uint8 224×224×3" or "float32 any×any×1".
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

// NewBatch makes an empty batch of count images.
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
// be set aside and the rest of its batch be tried again.
type ImageError struct {
	Image  int // its place in the batch, counted from 0
	Reason string
}

func (e *ImageError) Error() string { return fmt.Sprintf("image %d: %s", e.Image+1, e.Reason) }
