package train

import (
	"testing"

	"tkit/internal/network"
)

func TestPreferred(t *testing.T) {
	cut := func(endpoint string, pool network.Pool, width int, loss float64) CutTried {
		return CutTried{Cut: network.Cut{Endpoint: endpoint, Pool: pool}, Width: width, Loss: loss}
	}
	for _, c := range []struct {
		name  string
		tried []CutTried
		want  int
	}{
		{"the best", []CutTried{cut("a", "avg", 8, .5), cut("b", "avg", 8, .2), cut("c", "avg", 8, .3)}, 1},
		{"of equals the last endpoint", []CutTried{cut("a", "avg", 8, .2), cut("b", "avg", 64, .2019), cut("c", "avg", 8, .3)}, 1},
		{"of equals at an endpoint the narrowest", []CutTried{cut("a", "avg", 8, .2), cut("a", "avg2", 32, .2), cut("a", "flatten", 99, .1999)}, 0},
		{"no loss at all", []CutTried{cut("a", "avg", 8, 0), cut("b", "avg", 8, 0)}, 1},
	} {
		if got := preferred(c.tried); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
