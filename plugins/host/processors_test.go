package host

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that replaces an ended one gets the same processors.
func TestProcessors(t *testing.T) {
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		t.Fatal(err)
	}
	if own.Count() < 2 {
		t.Skip("there is one processor, which all share")
	}
	var s shares
	a, b := s.take(1), s.take(1)
	if slices.Equal(a, b) {
		t.Fatalf("both get %v", a)
	}
	for range 3 { // the same one ends repeatedly
		s.give(b)
		if b = s.take(1); slices.Equal(a, b) {
			t.Fatalf("both get %v", a)
		}
	}
	if all := s.take(own.Count()); all != nil {
		t.Errorf("all processors are %v, want nil", all)
	}
}
