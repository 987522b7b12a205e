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

// Default finds what is left of an image that was encoded again, scaled, lit
// otherwise or trimmed a little at its edge, and hardly ever two different
// images. bench/lookalikes measures it:
//
//	                          300 photographs   1,797 digits
//	                          of 500×375        of 8×8
//	found again
//	  JPEG, quality 95 to 20  100 %
//	  JPEG, quality 90                           98 %
//	  JPEG, quality 75                           85 %
//	  half and quarter size   100 %
//	  double size             100 %              81 %
//	  trimmed by 1 % and 2 %  100 %
//	  trimmed by 5 %           73 %
//	  trimmed by 10 %           0 %
//	  20 % darker             100 %              96 %
//	  20 % brighter, clipped   97 %
//	different, taken for one
//	  of all pairs            0 of 44,850        5 of 1,613,706
//	  largest chain of them   none               2 images
//
// On the digits, which all resemble each other, a correlation of 0.95 takes 47
// pairs for one and chains 6 images together, one of 0.90 takes 239 and chains
// 38, at the same distance; on the photographs, one of 0.98 finds 32 % of those
// trimmed by 5 %. A distance of 6 misses a fifth more of those and finds 50 % of
// the doubled digits; one of 10 finds 79 % and 95 %, and takes 9 pairs of digits
// for one.
//
// Where images are of one kind, wrong pairs grow with their number squared, and
// chains with them: of a million such scans, many would be in one group. That is
// why the split keeps groups together only where it is told to, and none that
// holds a good part of the images.
var Default = Threshold{Distance: 8, Correlation: 0.97}

// Alike says whether the images of two prints look alike.
func (t Threshold) Alike(p, q *Print) bool {
	return Distance(p.Hash, q.Hash) <= t.Distance && p.Correlation(q) >= t.Correlation
}
