package bases_test

import (
	"testing"

	"tkit/internal/bases"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

func TestUntrained(t *testing.T) {
	weight := func(values ...byte) *network.Weight {
		return &network.Weight{DataType: tensorflow.Uint8, Shape: []int64{int64(len(values))}, Data: values}
	}
	kernel := &network.Weight{DataType: tensorflow.Uint8, Shape: []int64{1, 2}, Data: []byte{1, 2}}
	for name, c := range map[string]struct {
		weights []*network.Weight
		want    bool
	}{
		"as Keras begins":        {[]*network.Weight{kernel, weight(0, 0, 0), weight(1, 1)}, true},
		"one vector was trained": {[]*network.Weight{kernel, weight(0, 0, 0), weight(1, 2)}, false},
		"the last value was":     {[]*network.Weight{weight(0, 0, 3), weight(1, 1)}, false},
		"no vectors":             {[]*network.Weight{kernel}, false},
		"one vector":             {[]*network.Weight{kernel, weight(0, 0)}, false},
	} {
		if got := bases.Untrained(&network.Network{Weights: c.weights}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
