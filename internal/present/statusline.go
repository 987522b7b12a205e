package present

import (
	"io"
	"sync"

	"tkit/internal/printable"
)

// eraseLine moves to the beginning of the terminal's line and erases it.
const eraseLine = "\r\x1b[K"

// A StatusLine is the last line of a terminal, which is replaced at every change. What
// is written to it appears above the line. Its methods may be called concurrently.
type StatusLine struct {
	mu   sync.Mutex
	out  io.Writer
	text string
}

// NewStatusLine returns a status line on w, or nil if w is no terminal.
func NewStatusLine(w io.Writer) *StatusLine {
	if terminal(w) == nil {
		return nil
	}
	return &StatusLine{out: w}
}

// Set replaces the line. It is cut at the width of the terminal. A terminal that is
// lost is not an error.
func (l *StatusLine) Set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = printable.Line(text, max(20, Width(l.out)-1))
	_ = l.draw()
}

// Clear removes the line.
func (l *StatusLine) Clear() { l.Set("") }

// Write writes whole lines above the line.
func (l *StatusLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		if _, err := io.WriteString(printable.Unwrap(l.out), eraseLine); err != nil {
			return 0, err
		}
	}
	n, err := l.out.Write(p)
	if err == nil && l.text != "" {
		err = l.draw()
	}
	return n, err
}

func (l *StatusLine) draw() error {
	_, err := io.WriteString(printable.Unwrap(l.out), eraseLine+l.text)
	return err
}
