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

// StreamKey is the attribute of a record that a plugin printed: stdout or stderr.
const StreamKey = "stream"

// longestLine is the length at which a line that a plugin prints is cut, and
// longestMessage that of its other texts, in bytes.
const (
	longestLine    = 8 << 10
	longestMessage = 1 << 10
)

// What a plugin may have logged: so many bytes at once, and so many a second for
// as long as it goes on. The rest is counted.
const (
	logBurst     = 256 << 10
	logPerSecond = 8 << 10
)

// deaths are the lines with which programs in Go begin to say why they end.
var deaths = regexp.MustCompile(`^(panic: |fatal error: |runtime: .*(memory|mmap)|SIG[A-Z]+: )`)

// lines passes on what a plugin prints to the log, line by line, and remembers
// the last of it for error messages.
type lines struct {
	log    *slog.Logger
	stream string
	now    func() time.Time

	mu      sync.Mutex
	part    []byte
	last    []string
	died    string // the line that begins Go's report of its own end
	left    float64
	since   time.Time
	omitted int // lines since one was logged
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

// tell logs a line, unless there were too many: one that is left out costs
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
	l.left -= float64(len(text) + 100) // a record has more than its text
	l.tellOmitted()
	l.log.Info(text, StreamKey, l.stream)
}

func (l *lines) tellOmitted() {
	if l.omitted > 0 {
		l.log.Warn("a plugin prints more than is logged", StreamKey, l.stream, "lines left out", l.omitted)
		l.omitted = 0
	}
}

// close logs what is left to say once the process has ended.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	l.tellOmitted()
}

// said is the last that was printed, or why the process ended.
func (l *lines) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	if l.died != "" {
		return l.died
	}
	return strings.Join(l.last, " | ")
}

// firstLine reads up to the first line break, or as much as a line may have.
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

// libraryLog has what go-plugin says of its own doing go to log, for those who
// look closely.
func libraryLog(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Debug})
	l.RegisterSink(sink{log})
	return l
}

type sink struct{ log *slog.Logger }

func (s sink) Accept(_ string, _ hclog.Level, message string, args ...any) {
	s.log.Log(context.Background(), slog.LevelDebug, "go-plugin: "+message, args...)
}
