package measure

import (
	"slices"
	"testing"
)

func TestCells(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want []string
	}{
		{Row{Measured: 41.26, Reference: 30, Unit: "images/s", Ratio: 1.375, Target: 1.25}, []string{"41.3 images/s", "30 images/s", "1.38", "≥ 1.25 reached", ""}},
		{Row{Measured: 712, Unit: "MB", Ratio: 712, Target: 600, AtMost: true, Note: "n"}, []string{"712 MB", "", "712", "≤ 600 missed", "n"}},
		{Row{Measured: .93, Reference: .9, Ratio: 1, Target: 1}, []string{"0.93", "0.9", "1", "≥ 1 reached", ""}},
		{Row{Measured: .93, Reference: .9, Ratio: 1.03}, []string{"0.93", "0.9", "1.03", "none", ""}},
		{Row{Target: 2.2, Inapplicable: "no such instructions"}, []string{"not applicable", "", "", "≥ 2.2", "no such instructions"}},
	} {
		if cells := c.row.Cells(); !slices.Equal(cells[2:], c.want) {
			t.Errorf("%+v: cells %q, want %q", c.row, cells[2:], c.want)
		}
	}
}

func TestInterleave(t *testing.T) {
	var order string
	next := func(name string, values ...float64) func() (float64, error) {
		return func() (float64, error) {
			order += name
			v := values[0]
			values = values[1:]
			return v, nil
		}
	}
	a, b, ratio, err := Interleave(3, next("a", 100, 2, 6, 4), next("b", 1, 1, 2, 4))
	if err != nil || a != 4 || b != 2 || ratio != 2 || order != "abababab" {
		t.Errorf("medians %v and %v, ratio %v, order %s, %v", a, b, ratio, order, err)
	}
}
