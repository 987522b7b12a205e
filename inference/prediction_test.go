package inference

import (
	"slices"
	"testing"
)

func TestTopKeepsTheOrderOfEquals(t *testing.T) {
	p := Prediction{[]string{"a", "b", "c", "d"}, []float32{.2, .3, .2, .3}}
	for n, want := range map[int][]string{0: nil, 1: {"b"}, 3: {"b", "d", "a"}, 9: {"b", "d", "a", "c"}} {
		var got []string
		for _, l := range p.Top(n) {
			got = append(got, l.Label)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the first %d are %v, want %v", n, got, want)
		}
	}
	if top := (Prediction{}).Top(3); len(top) != 0 {
		t.Errorf("nothing has the labels %v", top)
	}
}
