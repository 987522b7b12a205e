package digits_test

import (
	"slices"
	"testing"

	"tkit/datasets/digits"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]int{
		"0-9": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "1,7": {1, 7}, "0,5-7": {0, 5, 6, 7}, "3": {3},
		"": nil, "7-5": nil, "0-10": nil, "-1": nil, "a": nil, "1,": nil,
	} {
		got, err := digits.Parse(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}
