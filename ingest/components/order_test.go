package components

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/warpstreamlabs/bento/public/bloblang"

	"tkit/ingest/failure"
)

// Images of one key are delivered in the order in which they were read, whatever fails;
// a dead letter lets the next one pass.
func TestOrder(t *testing.T) {
	const n, keys = 120, 5
	var mu sync.Mutex
	working, delivered, tried := make(map[int]bool), make(map[int][]int), make(map[int]int)
	s := newStageOf(t, fmt.Sprintf("generate: {count: %d, interval: '', mapping: 'meta tkit_source = counter().string()'}", n), 0, func(source string) error {
		var i int
		if _, err := fmt.Sscan(source, &i); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if working[i%keys] {
			t.Errorf("two images of key %d at a time", i%keys)
		}
		working[i%keys] = true
		defer delete(working, i%keys)
		tried[i]++
		switch {
		case i%7 == 0:
			return &failure.Error{Stage: "test", Kind: failure.Lasting, Err: errors.New("no image")}
		case tried[i] == 1 && rand.IntN(4) == 0:
			return &failure.Error{Stage: "test", Kind: failure.Outage, Err: errors.New("down")}
		}
		delivered[i%keys] = append(delivered[i%keys], i)
		return nil
	})
	s.run.InFlight = 16
	s.run.OrderedBy = mappingOf(t, fmt.Sprintf("@tkit_source.number() %% %d", keys))
	if err := s.stream.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, images := range delivered {
		if !slices.IsSorted(images) {
			t.Errorf("key %d was delivered in the order %v", key, images)
		}
	}
	if c := s.run.Counters; c.Delivered.Load() != n-n/7 || c.Dead.Load() != n/7 {
		t.Errorf("delivered %d, dead %d", c.Delivered.Load(), c.Dead.Load())
	}
}

// Images without a key do not wait for each other, and one whose key cannot be found is
// a dead letter.
func TestNoKey(t *testing.T) {
	s := newStage(t, 6, func(string) error { return nil })
	s.run.OrderedBy = mappingOf(t, `root = match @tkit_source {
  "001" => throw("no camera"),
  "002" => deleted(),
  "003" => "front",
  _ => null,
}`)
	if err := s.stream.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for l, err := range s.letters.Letters(t.Context()) {
		if err != nil || l.Source != "001" || l.Stage != orderStage || l.Attempts != 1 {
			t.Errorf("letter %+v, %v", l, err)
		}
	}
	if c := s.run.Counters; c.Delivered.Load() != 5 || c.Dead.Load() != 1 {
		t.Errorf("delivered %d, dead %d", c.Delivered.Load(), c.Dead.Load())
	}
	if n := s.left(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func mappingOf(t *testing.T, text string) *bloblang.Executor {
	t.Helper()
	e, err := bloblang.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
