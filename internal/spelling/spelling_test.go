package spelling_test

import (
	"testing"

	"tkit/internal/spelling"
)

func TestNearest(t *testing.T) {
	names := []string{"train", "serve", "predict", "registry", "x"}
	for given, want := range map[string]string{
		"trian": "train", "sreve": "serve", "registy": "registry", "regstr": "registry", "flowers": "", "y": "", "": "",
	} {
		if got := spelling.Nearest(given, names); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"resnet", "resnet", 0},
		{"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"lenet6", "lenet5", 1},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := spelling.Distance(pair[0], pair[1]); got != c.want {
				t.Errorf("Distance(%q, %q) = %d, want %d", pair[0], pair[1], got, c.want)
			}
		}
	}
}
