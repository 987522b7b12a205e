package inference

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/cpu"

	"tkit/internal/independence"
	"tkit/internal/network"
)

// Precision is what a trunk computes in.
type Precision string

const (
	FP32 Precision = "fp32"
	BF16 Precision = "bf16"
)

// ErrPrecision is wrapped by every error that refuses a precision.
var ErrPrecision = errors.New("precision refused")

// ParsePrecision reads a user's choice; empty is FP32.
func ParsePrecision(s string) (Precision, error) {
	switch p := Precision(s); p {
	case "":
		return FP32, nil
	case FP32, BF16:
		return p, nil
	}
	return "", fmt.Errorf("%w: %q is none: choose %s or %s", ErrPrecision, s, FP32, BF16)
}

// Supported refuses a precision that this processor has no instructions for.
// Without them TensorFlow converts back and forth, and is slower than in FP32.
func (p Precision) Supported() error {
	if p == BF16 && !cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16 {
		return fmt.Errorf("%w: this processor has no bfloat16 instructions (AVX512_BF16 or AMX): use %s", ErrPrecision, FP32)
	}
	return nil
}

// of returns the network that computes in the precision: n itself, or another one
// that the caller closes too.
func (p Precision) of(n *network.Network) (*network.Network, error) {
	switch p {
	case FP32:
		return n, nil
	case BF16:
		return n.BFloat16()
	}
	return nil, fmt.Errorf("%w: %q is none: choose %s or %s", ErrPrecision, p, FP32, BF16)
}

// tolerance bounds the difference between answers that should be equal.
func (p Precision) tolerance() float64 {
	if p == BF16 {
		return independence.ToleranceBF16
	}
	return independence.ToleranceFP32
}

// Agreement measures how answers in another precision differ from those in FP32.
type Agreement struct {
	Samples int `json:"samples"`
	// Same is the fraction of samples with the same most probable class.
	Same float64 `json:"same"`
	// Largest is the largest difference of a probability.
	Largest float64 `json:"largest_difference"`
}

// Guard is the agreement that a precision needs.
type Guard struct {
	Same    float64 // minimum fraction of samples with the same most probable class
	Largest float64 // largest difference of a probability
}

// DefaultGuard allows a precision that changes the answer for at most one
// image in a hundred, which are then near-ties.
var DefaultGuard = Guard{Same: 0.99, Largest: 0.05}

// Compare measures the agreement of two answers to the same samples:
// probabilities in rows of classes.
func Compare(reference, candidate []float32, classes int) (Agreement, error) {
	if classes < 1 || len(reference) == 0 || len(reference) != len(candidate) || len(reference)%classes != 0 {
		return Agreement{}, fmt.Errorf("inference: %d and %d probabilities are no answers over %d classes to compare",
			len(reference), len(candidate), classes)
	}
	a := Agreement{Samples: len(reference) / classes}
	same := 0
	for i := 0; i < len(reference); i += classes {
		r, c := reference[i:i+classes], candidate[i:i+classes]
		if likeliest(r) == likeliest(c) {
			same++
		}
		for j := range r {
			a.Largest = max(a.Largest, math.Abs(float64(r[j])-float64(c[j])))
		}
	}
	a.Same = float64(same) / float64(a.Samples)
	return a, nil
}

// Allows returns nil where the agreement is sufficient.
func (g Guard) Allows(a Agreement) error {
	if a.Same < g.Same {
		return fmt.Errorf("%w: it answers %.1f %% of %d samples as %s does, %.1f %% are wanted",
			ErrPrecision, 100*a.Same, a.Samples, FP32, 100*g.Same)
	}
	// Not "a.Largest > g.Largest", which lets NaN through.
	if !(a.Largest <= g.Largest) {
		return fmt.Errorf("%w: a probability differs by %.3f from that in %s, %.3f is allowed",
			ErrPrecision, a.Largest, FP32, g.Largest)
	}
	return nil
}

func likeliest(p []float32) int { return slices.Index(p, slices.Max(p)) }
