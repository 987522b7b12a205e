package host

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"tkit/internal/logtest"
)

// A plugin that floods the log gets a burst, then a rate; the log says how many
// lines were omitted.
func TestFloodsAreBounded(t *testing.T) {
	var log logtest.Buffer
	l := newLines(slog.New(slog.NewTextHandler(&log, nil)), "stderr")
	now := time.Unix(1, 0)
	l.now, l.since = func() time.Time { return now }, now
	flood := []byte(strings.Repeat(strings.Repeat("spam ", 100)+"\n", 10_000))
	write := func() int {
		before := len(log.String())
		if _, err := l.Write(flood); err != nil {
			t.Fatal(err)
		}
		return len(log.String()) - before
	}
	if n := write(); n < logBurst/2 || n > 2*logBurst {
		t.Errorf("%d bytes of %d are logged at once", n, len(flood))
	}
	now = now.Add(4 * time.Second)
	if n := write(); n == 0 || n > 8*logPerSecond {
		t.Errorf("%d bytes are logged after 4 s", n)
	}
	now = now.Add(time.Hour)
	if _, err := l.Write([]byte("and on\n")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "exceeds the rate limit") || !strings.Contains(log.String(), "and on") {
		t.Error("the log does not say that lines are left out")
	}
}

// A plugin's output controls no terminal, neither in the log nor in an error.
func TestOutputSteersNoTerminal(t *testing.T) {
	var log logtest.Buffer
	l := newLines(slog.New(slog.NewTextHandler(&log, nil)), "stdout")
	if _, err := l.Write([]byte("a\x1b[2Jb\u202ec\xff\tend\r\n")); err != nil {
		t.Fatal(err)
	}
	const want = `a\u001b[2Jb\u202ec\xff end`
	if said := l.said(); said != want || !strings.Contains(log.String(), strconv.Quote(want)) {
		t.Errorf("it said %q, and the log has %q", said, log.String())
	}
}
