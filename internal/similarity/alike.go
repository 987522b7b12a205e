package similarity

// A Threshold says how close two prints must be for their images to look alike:
// both of the following.
type Threshold struct {
	// Distance is the largest number of bits by which the hashes may differ,
	// at most 15.
	Distance int `json:"distance"`
	// Correlation is the smallest cosine between the shapes.
	Correlation float64 `json:"correlation"`
}

// Default is meant to find what is left of an image that was encoded again,
// scaled, brightened or trimmed at its edge, and hardly ever two different
// images. Neither was measured on real data sets.
var Default = Threshold{Distance: 8, Correlation: 0.97}

// Alike says whether the images of two prints look alike.
func (t Threshold) Alike(p, q *Print) bool {
	return Distance(p.Hash, q.Hash) <= t.Distance && p.Correlation(q) >= t.Correlation
}
