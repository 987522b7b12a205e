package serve

import (
	"sync"
	"testing"

	"tkit/inference"
)

func TestMemory(t *testing.T) {
	m := NewMemory(2*perRequest + 100)
	first, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Hold(60); err != nil {
		t.Fatal(err)
	}
	if err := second.Hold(41); inference.ReasonOf(err) != inference.Overloaded || !second.Refused() {
		t.Errorf("beyond the bound: %v", err)
	}
	if err := second.Hold(1); inference.ReasonOf(err) != inference.Overloaded {
		t.Errorf("after a refusal: %v", err)
	}
	if _, err := m.Open(); inference.ReasonOf(err) != inference.Overloaded {
		t.Errorf("a third request: %v", err)
	}
	second.Close()
	first.Free(60)
	first.Close()
	if err := first.Hold(2*perRequest + 100); err != nil {
		t.Errorf("all that was held is not free again: %v", err)
	}
}

// Concurrent requests return all memory that they held.
func TestMemoryUnderLoad(t *testing.T) {
	const size = 4 * perRequest
	m := NewMemory(size)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				a, err := m.Open()
				for err == nil {
					err = a.Hold(1000)
				}
				a.Close()
			}
		})
	}
	wg.Wait()
	if !m.free.TryAcquire(size) {
		t.Error("something is still held")
	}
}
