package builder

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"tkit/architectures"
	"tkit/internal/network"
	"tkit/internal/tensorflow"
)

// Initial returns the initial value of every variable of the graph, including
// auxiliary heads, sorted by name. A value depends only on the seed and the
// variable's name and shape: adding or reordering layers does not change
// others.
func Initial(g *architectures.Graph, seed uint64) ([]*network.Weight, error) {
	var weights []*network.Weight
	for _, v := range g.Variables() {
		data, err := initial(v, seed)
		if err != nil {
			return nil, fmt.Errorf("initial value of %s: %w", v.Name, err)
		}
		weights = append(weights, &network.Weight{
			Name: v.Name, DataType: tensorflow.Float32, Shape: dims(v.Shape), Data: data, Trainable: v.Trainable})
	}
	slices.SortFunc(weights, func(a, b *network.Weight) int { return strings.Compare(a.Name, b.Name) })
	return weights, nil
}

func initial(v architectures.Variable, seed uint64) ([]byte, error) {
	key := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), v.Name...))
	random := rand.New(rand.NewChaCha8(key))
	draw, err := distribution(v.Init, random)
	if err != nil {
		return nil, err
	}
	n := v.Elements()
	data := make([]byte, 0, 4*n)
	for range n {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(draw())))
	}
	return data, nil
}

func distribution(i architectures.Init, random *rand.Rand) (func() float64, error) {
	normal := func(deviation float64) func() float64 {
		return func() float64 { return deviation * random.NormFloat64() }
	}
	uniform := func(limit float64) func() float64 {
		return func() float64 { return limit * (2*random.Float64() - 1) }
	}
	switch i.Kind {
	case architectures.Constant:
		return func() float64 { return i.Scale }, nil
	case architectures.Normal:
		return normal(i.Scale), nil
	case architectures.HeNormal:
		return normal(math.Sqrt(2 / i.FanIn)), nil
	case architectures.GlorotUniform:
		return uniform(math.Sqrt(6 / (i.FanIn + i.FanOut))), nil
	case architectures.FanInUniform:
		return uniform(i.Scale / i.FanIn), nil
	case architectures.FanOutNormal:
		return normal(math.Sqrt(2 / i.FanOut)), nil
	case architectures.FanOutUniform:
		return uniform(1 / math.Sqrt(i.FanOut)), nil
	default:
		return nil, fmt.Errorf("unknown distribution %d", i.Kind)
	}
}
