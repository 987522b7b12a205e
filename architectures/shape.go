package architectures

import (
	"strconv"
	"strings"
)

// A Shape is the size of one example's activation: height, width and channels,
// or the number of features once the activation is flat.
type Shape []int

// Elements is the number of values in the activation.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Channels is the last dimension: the number of feature maps or of features.
func (s Shape) Channels() int { return s[len(s)-1] }

// String writes the shape as the papers do: "112×112×64", "4096".
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	return strings.Join(parts, "×")
}

func (s Shape) flat() bool { return len(s) == 1 }
