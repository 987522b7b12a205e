package inference

import (
	"maps"
	"slices"
	"testing"

	"tkit/registry"
)

func among(versions ...int) func(int) bool {
	return func(v int) bool { return slices.Contains(versions, v) }
}

func TestRoute(t *testing.T) {
	type labels = map[string]int
	for _, test := range []struct {
		name             string
		wanted, previous labels
		available        func(int) bool
		want             labels
	}{
		{"not loaded yet", labels{"production": 1}, nil, among(), labels{}},
		{"loaded", labels{"production": 1}, nil, among(1), labels{"production": 1}},
		{"old one answers until the new one can", labels{"production": 2}, labels{"production": 1}, among(1), labels{"production": 1}},
		{"new one answers as soon as it can", labels{"production": 2}, labels{"production": 1}, among(1, 2), labels{"production": 2}},
		{"old one has gone", labels{"production": 2}, labels{"production": 1}, among(), labels{}},
		{"label withdrawn", labels{}, labels{"champion": 1}, among(1), labels{}},
		{"labels are independent", labels{"production": 2, "champion": 3}, labels{"production": 1}, among(1, 3), labels{"production": 1, "champion": 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := route(test.wanted, test.previous, test.available); !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for _, test := range []struct {
		ref       registry.Ref
		routes    map[string]int
		available []int
		want      int // 0: not found
	}{
		{registry.Ref{Model: "m"}, map[string]int{"production": 2}, []int{2, 3}, 2},
		{registry.Ref{Model: "m", Version: 3}, map[string]int{"production": 2}, []int{2, 3}, 3},
		{registry.Ref{Model: "m", Version: 4}, map[string]int{"production": 2}, []int{2, 3}, 0},
		{registry.Ref{Model: "m", Alias: "champion"}, map[string]int{"production": 2, "champion": 3}, []int{2, 3}, 3},
		{registry.Ref{Model: "m", Alias: "canary"}, map[string]int{"production": 2}, []int{2}, 0},
		{registry.Ref{Model: "m"}, nil, []int{3}, 3},    // only versions are served
		{registry.Ref{Model: "m"}, nil, []int{3, 4}, 0}, // which?
		{registry.Ref{Model: "m"}, nil, nil, 0},
	} {
		got, err := resolve(test.ref, test.routes, test.available)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%v among %v, %v: %d, %v; want %d", test.ref, test.routes, test.available, got, err, test.want)
		}
		if err != nil && ReasonOf(err) != NotFound {
			t.Errorf("%v: reason %q", test.ref, ReasonOf(err))
		}
	}
}

func TestMissing(t *testing.T) {
	a := Aspiration{Model: "m", Versions: []int{1, 2, 5}, Labels: map[string]int{"production": 1, "champion": 2}}
	for _, test := range []struct {
		name      string
		routes    map[string]int
		available func(int) bool
		want      []string
	}{
		{"all", nil, among(), []string{"m@5", "m@champion", "m@production"}},
		{"one label", map[string]int{"production": 1}, among(1, 5), []string{"m@champion"}},
		{"an older version answers", map[string]int{"production": 1, "champion": 0}, among(0, 1, 5), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := missing(a, test.routes, test.available); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
