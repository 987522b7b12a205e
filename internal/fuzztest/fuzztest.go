// Package fuzztest bounds the cost of one input of a fuzz target. A fuzz target
// that only detects panics misses a small input that allocates gigabytes or
// runs for minutes.
package fuzztest

import (
	"flag"
	"fmt"
	"runtime/metrics"
	"testing"
	"time"
)

// Limit bounds the cost of one input.
type Limit struct {
	// Bytes may be allocated for any input, and PerByte more for each byte of
	// it. All allocations count, including memory freed since.
	Bytes, PerByte int64
	// Time is the last resort against an input that never ends. It is wall
	// clock time, so it applies only while fuzzing, never in go test.
	Time time.Duration
}

// Default suits parsers that take linear time.
var Default = Limit{Bytes: 16 << 20, PerByte: 1 << 10, Time: 20 * time.Second}

// Watch starts measuring an input of size bytes against Default. The target
// calls the returned function when it is done with the input:
//
//	f.Fuzz(func(t *testing.T, b []byte) {
//		defer fuzztest.Watch(t, len(b))()
func Watch(t testing.TB, size int) (done func()) { return Default.Watch(t, size) }

// Watch is like the function Watch with a different limit. Exceeding the memory
// fails the test; exceeding the time ends the process, which the fuzzing engine
// reports as a failure of that input.
func (l Limit) Watch(t testing.TB, size int) (done func()) {
	stop := func() bool { return true }
	if fuzzing() {
		stop = time.AfterFunc(l.Time, func() {
			panic(fmt.Sprintf("an input of %d bytes takes more than %v", size, l.Time))
		}).Stop
	}
	before := allocated()
	return func() {
		stop()
		limit := l.Bytes + l.PerByte*int64(size)
		if used := allocated() - before; used > limit {
			t.Errorf("an input of %d bytes allocates %d bytes: more than %d", size, used, limit)
		}
	}
}

// fuzzing reports whether this process gets inputs from the fuzzing engine.
func fuzzing() bool {
	worker := flag.Lookup("test.fuzzworker")
	return worker != nil && worker.Value.String() == "true"
}

// allocated returns the bytes allocated since the process began.
func allocated() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
