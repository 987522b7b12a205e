package similarity

// A Threshold sets how similar two prints must be for their images to look
// alike. Both conditions must hold.
type Threshold struct {
	// Distance is the largest number of bits by which the hashes may differ,
	// at most 15.
	Distance int `json:"distance"`
	// Correlation is the smallest cosine between the shapes.
	Correlation float64 `json:"correlation"`
}

// Default finds images that were re-encoded, scaled, brightened, darkened or
// trimmed a little, and hardly ever matches two different images. Measured by
// bench/lookalikes:
//
//	                          300 photographs   1,797 digits
//	                          of 500×375        of 8×8
//	matched
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
//	different, but matched
//	  of all pairs            0 of 44,850        5 of 1,613,706
//	  largest chain           none               2 images
//
// On the digits, which all resemble each other, a correlation of 0.95 matches
// 47 pairs and chains 6 images together; one of 0.90 matches 239 and chains 38,
// at the same distance. On the photographs, a correlation of 0.98 finds 32 % of
// those trimmed by 5 %. A distance of 6 misses a fifth more of those and finds
// 50 % of the doubled digits; a distance of 10 finds 79 % and 95 %, and matches
// 9 pairs of different digits.
//
// Among images of one kind, false matches grow with the square of their number,
// and chains with them: of a million such scans, many would be in one group.
// That is why the split keeps groups together only on request, and never a
// group with a large part of the images.
var Default = Threshold{Distance: 8, Correlation: 0.97}

// Alike reports whether the images of two prints look alike.
func (t Threshold) Alike(p, q *Print) bool {
	return Distance(p.Hash, q.Hash) <= t.Distance && p.Correlation(q) >= t.Correlation
}
