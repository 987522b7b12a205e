package host

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"tkit/internal/printable"
)

// StreamKey is the log attribute with the stream that a plugin printed to:
// stdout or stderr.
const StreamKey = "stream"

// longestLine is the length at which a plugin's output lines are cut, and
// longestMessage that of its other texts, in bytes.
const (
	longestLine    = 8 << 10
	longestMessage = 1 << 10
)

// The rate limit of a plugin's log: a burst in bytes, and bytes per second.
// Lines beyond it are counted.
const (
	logBurst     = 256 << 10
	logPerSecond = 8 << 10
)

// deaths matches the lines with which Go programs begin to report why they end.
var deaths = regexp.MustCompile(`^(panic: |fatal error: |runtime: .*(memory|mmap)|SIG[A-Z]+: )`)

// lines passes a plugin's output to the log, line by line, and remembers the
// end of it for error messages.
type lines struct {
	log    *slog.Logger
	stream string
	now    func() time.Time

	mu      sync.Mutex
	part    []byte
	last    []string
	died    string // the first line of Go's report of its own end
	left    float64
	since   time.Time
	omitted int // lines since the last one logged
}

func newLines(log *slog.Logger, stream string) *lines {
	return &lines{log: log, stream: stream, now: time.Now, left: logBurst, since: time.Now()}
}

// Write takes a piece of output.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range p {
		if c != '\n' && len(l.part) < longestLine {
			l.part = append(l.part, c)
			continue
		}
		l.flush()
		if c != '\n' {
			l.part = append(l.part, c)
		}
	}
	return len(p), nil
}

func (l *lines) flush() {
	line := string(l.part)
	l.part = l.part[:0]
	brief := printable.Line(line, longestMessage)
	if brief == "" {
		return
	}
	l.tell(line)
	if l.died == "" && deaths.MatchString(brief) {
		l.died = brief
	}
	if l.last = append(l.last, brief); len(l.last) > 6 {
		l.last = l.last[1:]
	}
}

// tell logs a line, unless the rate limit is exceeded: an omitted line costs
// little.
func (l *lines) tell(line string) {
	now := l.now()
	l.left = min(logBurst, l.left+now.Sub(l.since).Seconds()*logPerSecond)
	l.since = now
	if l.left < float64(len(line)) {
		l.omitted++
		return
	}
	text := printable.Line(line, longestLine)
	l.left -= float64(len(text) + 100) // a record is longer than its text
	l.tellOmitted()
	l.log.Info(text, StreamKey, l.stream)
}

func (l *lines) tellOmitted() {
	if l.omitted > 0 {
		l.log.Warn("a plugin's output exceeds the rate limit of the log", StreamKey, l.stream, "lines left out", l.omitted)
		l.omitted = 0
	}
}

// close logs the rest after the process has ended.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	l.tellOmitted()
}

// said returns the last output, or why the process ended.
func (l *lines) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	if l.died != "" {
		return l.died
	}
	return strings.Join(l.last, " | ")
}

// firstLine reads up to the first line break, or up to the limit of a line.
func firstLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < longestLine {
		c, err := r.ReadByte()
		if err == io.EOF && len(line) > 0 {
			break
		}
		if err != nil {
			return "", err
		}
		if line = append(line, c); c == '\n' {
			break
		}
	}
	return string(line), nil
}

// libraryLog passes go-plugin's own messages to log, at debug level.
func libraryLog(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Debug})
	l.RegisterSink(sink{log})
	return l
}

type sink struct{ log *slog.Logger }

func (s sink) Accept(_ string, _ hclog.Level, message string, args ...any) {
	s.log.Log(context.Background(), slog.LevelDebug, "go-plugin: "+message, args...)
}
