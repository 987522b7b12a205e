// Package fuzztest bounds what one input of a fuzz target may cost. A fuzz
// target that looks for panics alone misses the small input that allocates
// gigabytes or runs for minutes.
package fuzztest

import (
	"flag"
	"fmt"
	"runtime/metrics"
	"testing"
	"time"
)

// Limit is what one input may cost.
type Limit struct {
	// Bytes may be allocated whatever the input is, and PerByte more for each
	// byte of it. All allocations count, also of memory that is free again.
	Bytes, PerByte int64
	// Time is the last resort against an input that never ends. It is wall
	// clock time, and so it holds only while fuzzing, never in go test.
	Time time.Duration
}

// Default suits parsers whose work is linear in their input.
var Default = Limit{Bytes: 16 << 20, PerByte: 1 << 10, Time: 20 * time.Second}

// Watch starts to measure an input of size bytes against Default. The target
// calls what it returns when it is done with the input:
//
//	f.Fuzz(func(t *testing.T, b []byte) {
//		defer fuzztest.Watch(t, len(b))()
func Watch(t testing.TB, size int) (done func()) { return Default.Watch(t, size) }

// Watch is the function Watch with another limit. The memory that the input
// takes beyond the limit fails the test; the time ends the process, which is how
// the fuzzing engine learns of the input.
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

// fuzzing says whether this process is given inputs by the fuzzing engine.
func fuzzing() bool {
	worker := flag.Lookup("test.fuzzworker")
	return worker != nil && worker.Value.String() == "true"
}

// allocated is how many bytes this process has allocated since it began.
func allocated() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
