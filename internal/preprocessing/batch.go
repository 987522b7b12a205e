package preprocessing

import (
	"fmt"
	"math"
)

// Kind is the kind of images in a Batch. Its numbers are part of the plugin
// protocol and never change.
type Kind uint8

const (
	// Encoded images are files in their original encoding: JPEG, PNG, DICOM or
	// any other.
	Encoded Kind = 1
	// Uint8 images are pixels from 0 to 255.
	Uint8 Kind = 2
	// Float32 images are pixels of any finite value.
	Float32 Kind = 3
)

// String returns "encoded", "uint8" or "float32".
func (k Kind) String() string {
	switch k {
	case Encoded:
		return "encoded"
	case Uint8:
		return "uint8"
	case Float32:
		return "float32"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MarshalText returns the same text as String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText parses the text of a known kind.
func (k *Kind) UnmarshalText(text []byte) error {
	for _, known := range []Kind{Encoded, Uint8, Float32} {
		if known.String() == string(text) {
			*k = known
			return nil
		}
	}
	return fmt.Errorf("kind is %q: it must be %s, %s or %s", text, Encoded, Uint8, Float32)
}

// size returns the number of bytes of a value, 0 if images have no fixed size.
func (k Kind) size() int {
	switch k {
	case Uint8:
		return 1
	case Float32:
		return 4
	}
	return 0
}

// MaxBatchBytes bounds the pixels of one batch, so that a batch from another
// process cannot request an excessive allocation.
const MaxBatchBytes = 1 << 30

// Batch is the input and output of a preprocessor: Count images of one kind.
//
// Pixels are row-major, the images one after the other: the value of image n at
// row y, column x and channel c has the index ((n·H + y)·W + x)·C + c. The
// creator of a batch owns its memory. A preprocessor neither modifies nor keeps
// its input, but may return it as its output.
type Batch struct {
	Kind  Kind
	Count int
	// Shape is the height, width and channels of every image; zero for Encoded.
	Shape [3]int
	// Exactly the field named by Kind is set.
	Encoded [][]byte
	Uint8   []uint8
	Float32 []float32
}

// Elements returns the number of values of one image, 0 for Encoded.
func (b Batch) Elements() int { return b.Shape[0] * b.Shape[1] * b.Shape[2] }

// Validate checks that the batch has a known kind, only the field of that kind,
// and the length given by count and shape. It does not check the values; Finite
// does.
func (b Batch) Validate() error {
	if b.Count < 0 {
		return fmt.Errorf("a batch of %d images", b.Count)
	}
	lengths := map[Kind]int{Encoded: len(b.Encoded), Uint8: len(b.Uint8), Float32: len(b.Float32)}
	length, known := lengths[b.Kind]
	if !known {
		return fmt.Errorf("a batch of unknown %s", b.Kind)
	}
	for kind, n := range lengths {
		if kind != b.Kind && n > 0 {
			return fmt.Errorf("a batch of kind %s has %d values of kind %s", b.Kind, n, kind)
		}
	}
	if b.Kind == Encoded {
		if b.Shape != [3]int{} {
			return fmt.Errorf("a batch of encoded images has the shape %v: it must have none", b.Shape)
		}
		if length != b.Count {
			return fmt.Errorf("a batch of %d encoded images has %d", b.Count, length)
		}
		size := 0
		for _, file := range b.Encoded {
			if size += len(file); size > MaxBatchBytes {
				return fmt.Errorf("a batch of %d encoded images takes more than %d bytes", b.Count, MaxBatchBytes)
			}
		}
		return nil
	}
	want, err := pixels(b.Kind, b.Count, b.Shape)
	if err != nil {
		return err
	}
	if length != want {
		return fmt.Errorf("a batch of %d images of %d×%d×%d has %d values, want %d",
			b.Count, b.Shape[0], b.Shape[1], b.Shape[2], length, want)
	}
	return nil
}

// pixels returns the number of values of count images. Excessive sizes are an
// error.
func pixels(kind Kind, count int, shape [3]int) (int, error) {
	n := count
	for _, side := range shape {
		if side <= 0 {
			return 0, fmt.Errorf("a batch of images of %d×%d×%d", shape[0], shape[1], shape[2])
		}
		if n > MaxBatchBytes/kind.size()/side {
			return 0, fmt.Errorf("a batch of %d images of %d×%d×%d takes more than %d bytes",
				count, shape[0], shape[1], shape[2], MaxBatchBytes)
		}
		n *= side
	}
	return n, nil
}

// Finite returns true if all values are finite, else the index of the first
// image with a NaN or infinite value.
func (b Batch) Finite() (image int, ok bool) {
	for i, v := range b.Float32 {
		// v − v is zero for finite values and NaN for all others.
		if v-v != 0 {
			return i / b.Elements(), false
		}
	}
	return 0, true
}

// Image returns the n-th image as a batch of one, which shares the memory of b.
func (b Batch) Image(n int) Batch {
	one := Batch{Kind: b.Kind, Count: 1, Shape: b.Shape}
	switch size := b.Elements(); b.Kind {
	case Encoded:
		one.Encoded = b.Encoded[n : n+1 : n+1]
	case Uint8:
		one.Uint8 = b.Uint8[n*size : (n+1)*size : (n+1)*size]
	case Float32:
		one.Float32 = b.Float32[n*size : (n+1)*size : (n+1)*size]
	}
	return one
}

// Equal reports whether two batches are equal, bit by bit.
func (b Batch) Equal(other Batch) bool {
	if b.Kind != other.Kind || b.Count != other.Count || b.Shape != other.Shape ||
		len(b.Encoded) != len(other.Encoded) || len(b.Uint8) != len(other.Uint8) || len(b.Float32) != len(other.Float32) {
		return false
	}
	for i, file := range b.Encoded {
		if string(file) != string(other.Encoded[i]) {
			return false
		}
	}
	if string(b.Uint8) != string(other.Uint8) {
		return false
	}
	for i, v := range b.Float32 {
		if math.Float32bits(v) != math.Float32bits(other.Float32[i]) {
			return false
		}
	}
	return true
}
