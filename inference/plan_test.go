package inference

import (
	"slices"
	"testing"
	"time"
)

func TestPlanBatch(t *testing.T) {
	small, large := [3]int{32, 32, 3}, [3]int{224, 224, 3}
	past, future := noon.Add(-time.Second), noon.Add(time.Second)
	for _, test := range []struct {
		name           string
		queue          []pending
		most           int
		batch, expired []int
	}{
		{"empty", nil, 8, nil, nil},
		{"one runs at once", []pending{{shape: small}}, 8, []int{0}, nil},
		{"all that wait", []pending{{shape: small}, {shape: small}, {shape: small}}, 8, []int{0, 1, 2}, nil},
		{"no more than the most", []pending{{shape: small}, {shape: small}, {shape: small}}, 2, []int{0, 1}, nil},
		{"the oldest sets the shape", []pending{{shape: large}, {shape: small}, {shape: large}}, 8, []int{0, 2}, nil},
		{"expired rows do not run", []pending{{small, past}, {small, future}, {small, noon}, {small, time.Time{}}}, 8, []int{1, 3}, []int{0, 2}},
		{"an expired row sets no shape", []pending{{large, past}, {small, future}}, 8, []int{1}, []int{0}},
		{"rows behind a full batch expire too", []pending{{shape: small}, {small, past}}, 1, []int{0}, []int{1}},
		{"all expired", []pending{{small, past}}, 8, nil, []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			batch, expired := planBatch(test.queue, noon, test.most)
			if !slices.Equal(batch, test.batch) || !slices.Equal(expired, test.expired) {
				t.Errorf("got batch %v, expired %v; want %v, %v", batch, expired, test.batch, test.expired)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		waiting int
		perRow  time.Duration
		want    time.Duration
	}{
		{0, 0, time.Second},
		{10, 20 * time.Millisecond, time.Second},
		{256, 20 * time.Millisecond, 3 * time.Second},
	} {
		if got := retryAfter(test.waiting, test.perRow); got != test.want {
			t.Errorf("%d at %v: %v, want %v", test.waiting, test.perRow, got, test.want)
		}
	}
}

func TestSmooth(t *testing.T) {
	if got := smooth(0, 80); got != 80 {
		t.Errorf("first observation gives %d, want itself", got)
	}
	if got := smooth(80, 160); got != 90 {
		t.Errorf("got %d, want 90", got)
	}
}
