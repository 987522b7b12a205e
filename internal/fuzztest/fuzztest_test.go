package fuzztest

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// recorder records whether a test would have failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

var sink []byte

func TestWatchMemory(t *testing.T) {
	limit := Limit{Bytes: 8 << 20, PerByte: 1 << 10}
	for _, c := range []struct {
		size, allocate int
		fails          bool
	}{
		{0, 1 << 10, false},
		{0, 32 << 20, true},
		{32 << 10, 32 << 20, false}, // as much as allowed for the input
	} {
		r := &recorder{TB: t}
		done := limit.Watch(r, c.size)
		sink = make([]byte, c.allocate)
		done()
		if r.failed != c.fails {
			t.Errorf("an input of %d bytes that allocates %d fails: %t", c.size, c.allocate, r.failed)
		}
	}
}

// An input that does not end ends the process, but only while fuzzing. The test
// runs itself as that process.
func TestWatchTime(t *testing.T) {
	const endless = "FUZZTEST_ENDLESS"
	limit := Limit{Bytes: 1 << 30, Time: time.Millisecond}
	if os.Getenv(endless) != "" {
		if err := flag.Set("test.fuzzworker", "true"); err != nil {
			t.Fatal(err)
		}
		defer limit.Watch(t, 7)()
		<-t.Context().Done()
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWatchTime$")
	command.Env = append(os.Environ(), endless+"=1")
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "an input of 7 bytes takes more than 1ms") {
		t.Errorf("%v: %s", err, out)
	}
	done := limit.Watch(t, 7)
	time.Sleep(10 * limit.Time)
	done()
}
