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

// The maxima of all maps are a candidate unless there are too many images.
func TestLayers(t *testing.T) {
	ends := []network.Endpoint{
		{Name: "a", Shape: []int64{8, 8, 16}}, {Name: "b", Shape: []int64{-1, -1, 32}}, {Name: "pool", Shape: []int64{32}},
	}
	if last, width := layers(ends); last != "b" || width != 32+16+32 {
		t.Errorf("%s, %d wide", last, width)
	}
	for name, e := range map[string]network.Endpoint{
		"unknown rank": {Name: "c"}, "unknown width": {Name: "c", Shape: []int64{4, 4, -1}},
	} {
		if last, width := layers(append(ends, e)); last != "" || width != 0 {
			t.Errorf("%s: %s, %d wide", name, last, width)
		}
	}
	if last, _ := layers(ends[2:]); last != "" {
		t.Errorf("no map: %s", last)
	}
}

func TestCandidates(t *testing.T) {
	base := fineTuneOptions(t, folder(t, 3, 4)).Base
	for images, want := range map[int]int{100: 1, 1 << 40: 0} {
		cuts, err := candidates(base, images)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, c := range cuts {
			if c.Pool == network.PoolLayers {
				found++
			}
		}
		if found != want {
			t.Errorf("%d images: %v", images, cuts)
		}
	}
}
