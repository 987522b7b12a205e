package printable

import (
	"io"
	"sync"
	"unicode/utf8"
)

// A Writer passes all that is written to it through Lines. A command writes its
// output through one, so that nothing steers a terminal even where a message was
// not formatted by Fprintf. It may be used by several goroutines.
type Writer struct {
	mu   sync.Mutex
	out  io.Writer
	held []byte // the first bytes of a character whose rest has not been written yet
}

// NewWriter returns a writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes text, without an incomplete character at its end: that one waits
// for its other bytes.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.held, text...)
	end := complete(all)
	w.held = append([]byte(nil), all[end:]...)
	if _, err := w.out.Write(Lines(all[:end])); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Unwrap returns what w writes to: for bytes that are a file's content, and for
// what draws on a terminal by itself.
func (w *Writer) Unwrap() io.Writer { return w.out }

// Unwrap returns what a Writer writes to, and any other writer as it is.
func Unwrap(w io.Writer) io.Writer {
	if p, ok := w.(*Writer); ok {
		return p.Unwrap()
	}
	return w
}

// complete is the length of text without a character that is cut off at its end.
func complete(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		start := len(text) - back
		if utf8.RuneStart(text[start]) {
			if utf8.FullRune(text[start:]) {
				return len(text)
			}
			return start
		}
	}
	return len(text)
}
