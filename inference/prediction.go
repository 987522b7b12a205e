package inference

import (
	"cmp"
	"slices"
)

// A Label is one class of a classifier and its probability.
type Label struct {
	Label       string  `json:"label"`
	Probability float32 `json:"probability"`
}

// A Prediction is the result for one image: a probability for each label, in
// the order of the version's labels.
type Prediction struct {
	labels        []string
	Probabilities []float32
}

// Top returns the n most probable labels, or all if there are fewer, the most
// probable first. Labels of equal probability keep the order of the version's
// labels.
func (p Prediction) Top(n int) []Label {
	all := make([]Label, len(p.Probabilities))
	for i, v := range p.Probabilities {
		all[i] = Label{p.labels[i], v}
	}
	slices.SortStableFunc(all, func(a, b Label) int { return cmp.Compare(b.Probability, a.Probability) })
	return all[:min(n, len(all))]
}
