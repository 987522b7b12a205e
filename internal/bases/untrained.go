package bases

import (
	"bytes"

	"tkit/internal/network"
)

// Untrained reports whether the weights of a network are certainly the random ones
// that it began with: all of its vectors, which are biases and the scales and
// statistics of batch normalisation, still have the same value everywhere. Training
// changes them. A network that begins with random biases is not recognised.
func Untrained(n *network.Network) bool {
	vectors := 0
	for _, w := range n.Weights {
		if len(w.Shape) != 1 || w.Shape[0] < 2 {
			continue
		}
		vectors++
		size := len(w.Data) / int(w.Shape[0])
		if !bytes.Equal(w.Data[size:], w.Data[:len(w.Data)-size]) {
			return false
		}
	}
	return vectors > 1
}
