package testserver

import (
	"sync"
	"testing"
)

// Shared returns a function that gives the tests of one binary the same server. Its first
// use starts the server; Main stops it. Needs skips or fails a test that cannot have it.
func Shared[S interface{ Stop() }](needs func(testing.TB), start func() (S, error)) func(testing.TB) S {
	get := sync.OnceValues(func() (S, error) {
		s, err := start()
		if err == nil {
			running.Lock()
			running.stops = append(running.stops, s.Stop)
			running.Unlock()
		}
		return s, err
	})
	return func(t testing.TB) S {
		t.Helper()
		needs(t)
		s, err := get()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

var running struct {
	sync.Mutex
	stops []func()
}

// Main runs the tests, stops the shared servers, and returns the exit status.
func Main(m *testing.M) int {
	defer func() {
		for _, stop := range running.stops {
			stop()
		}
	}()
	return m.Run()
}
