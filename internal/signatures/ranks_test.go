package signatures_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tkit/internal/signatures"
	"tkit/internal/tensorflow"
)

// If a model declares no rank, an unsupported one is an error of the request.
// Conv2D would abort the process.
func TestUnknownRanks(t *testing.T) {
	m := open(t, "flow")
	s, err := m.Signature("convolve")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the result is stored
		for _, shape := range [][]int64{{}, {2}, {1, 2, 2}, {1, 2, 2, 1, 1}, {1, 2, 2, 1}} {
			n := int64(1)
			for _, d := range shape {
				n *= d
			}
			x, err := tensorflow.FromFloat32(shape, slices.Repeat([]float32{1}, int(n)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Run(t.Context(), x)
			x.Close()
			if len(shape) == 4 {
				if err != nil || !slices.Equal(out[0].Float32(), []float32{2, 2, 2, 2}) {
					t.Errorf("%v: %v, %v", shape, out, err)
				}
			} else if !errors.As(err, new(*signatures.InputError)) || !strings.Contains(err.Error(), "rank") {
				t.Errorf("%v: %v", shape, err)
			}
			for _, o := range out {
				o.Close()
			}
		}
	}
}
