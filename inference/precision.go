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

// ParsePrecision parses the name of a precision; empty is FP32.
func ParsePrecision(s string) (Precision, error) {
	switch p := Precision(s); p {
	case "":
		return FP32, nil
	case FP32, BF16:
		return p, nil
	}
	return "", fmt.Errorf("%w: %q is unknown: choose %s or %s", ErrPrecision, s, FP32, BF16)
}

// Supported returns an error for a precision without instructions on this
// processor. Without them TensorFlow converts all values, and is slower than in
// FP32.
func (p Precision) Supported() error {
	if p == BF16 && !cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16 {
		return fmt.Errorf("%w: this processor has no bfloat16 instructions (AVX512_BF16 or AMX): use %s", ErrPrecision, FP32)
	}
	return nil
}

// of returns the network that computes in the precision: n itself, or a new one
// that the caller closes too.
func (p Precision) of(n *network.Network) (*network.Network, error) {
	switch p {
	case FP32:
		return n, nil
	case BF16:
		return n.BFloat16()
	}
	return nil, fmt.Errorf("%w: %q is unknown: choose %s or %s", ErrPrecision, p, FP32, BF16)
}

// tolerance is the maximum difference between results that should be equal.
func (p Precision) tolerance() float64 {
	if p == BF16 {
		return independence.ToleranceBF16
	}
	return independence.ToleranceFP32
}

// Agreement measures how predictions in another precision differ from those in
// FP32.
type Agreement struct {
	Samples int `json:"samples"`
	// Same is the fraction of samples with the same most probable class.
	Same float64 `json:"same"`
	// Largest is the largest difference of a probability.
	Largest float64 `json:"largest_difference"`
}

// Guard is the agreement that a precision must reach.
type Guard struct {
	Same    float64 // minimum fraction of samples with the same most probable class
	Largest float64 // largest difference of a probability
}

// DefaultGuard allows a precision that changes the most probable class of at
// most one image in a hundred. The largest difference limits such changes to
// near-ties.
var DefaultGuard = Guard{Same: 0.99, Largest: 0.05}

// Compare measures the agreement of two predictions for the same samples:
// probabilities in rows of classes.
func Compare(reference, candidate []float32, classes int) (Agreement, error) {
	if classes < 1 || len(reference) == 0 || len(reference) != len(candidate) || len(reference)%classes != 0 {
		return Agreement{}, fmt.Errorf("inference: cannot compare %d and %d probabilities of %d classes",
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

// Allows returns nil if the agreement is sufficient.
func (g Guard) Allows(a Agreement) error {
	if a.Same < g.Same {
		return fmt.Errorf("%w: it agrees on %.1f %% of %d samples with %s; want %.1f %%",
			ErrPrecision, 100*a.Same, a.Samples, FP32, 100*g.Same)
	}
	// Not "a.Largest > g.Largest", which accepts NaN.
	if !(a.Largest <= g.Largest) {
		return fmt.Errorf("%w: a probability differs by %.3f from that in %s; want at most %.3f",
			ErrPrecision, a.Largest, FP32, g.Largest)
	}
	return nil
}

func likeliest(p []float32) int { return slices.Index(p, slices.Max(p)) }
