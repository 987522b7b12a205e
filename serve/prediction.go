package serve

import (
	"cmp"
	"slices"
)

// Label is one class and its probability.
type Label struct {
	Label       string
	Probability float32
}

// Prediction is what a servable says of one image: a probability for each of
// the manifest's labels, in their order.
type Prediction struct {
	labels        []string
	Probabilities []float32
}

// Top is the n likeliest labels, the likeliest first; equals stand in the
// order of the labels.
func (p Prediction) Top(n int) []Label {
	all := make([]Label, len(p.Probabilities))
	for i, v := range p.Probabilities {
		all[i] = Label{p.labels[i], v}
	}
	slices.SortStableFunc(all, func(a, b Label) int { return cmp.Compare(b.Probability, a.Probability) })
	return all[:min(n, len(all))]
}
