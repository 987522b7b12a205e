package architectures

import (
	"strconv"
	"strings"
)

// A Shape is the size of one example's activation: height, width and channels,
// or the number of features of a flat activation.
type Shape []int

// Elements returns the number of values in the activation.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Channels returns the last dimension: the number of feature maps or features.
func (s Shape) Channels() int { return s[len(s)-1] }

// String formats the shape like the papers: "112×112×64", "4096".
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	return strings.Join(parts, "×")
}

func (s Shape) flat() bool { return len(s) == 1 }
