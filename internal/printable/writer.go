package printable

import (
	"cmp"
	"io"
	"sync"
	"unicode/utf8"
)

// A Writer passes all output through Lines. A command writes its output through
// one, so that nothing controls a terminal even if a message was not formatted
// by Fprintf. It is safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	out  io.Writer
	held []byte // the first bytes of an incomplete character
	err  error  // the first of out
}

// NewWriter returns a writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes text, except an incomplete character at its end, which is held
// until its other bytes arrive.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.held, text...)
	end := complete(all)
	w.held = append([]byte(nil), all[end:]...)
	if _, err := w.out.Write(Lines(all[:end])); err != nil {
		w.err = cmp.Or(w.err, err)
		return 0, err
	}
	return len(text), nil
}

// Err returns the first error of a write, which its caller may have ignored.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Unwrap returns the underlying writer, for a file's content and for programs
// that draw on a terminal themselves.
func (w *Writer) Unwrap() io.Writer { return w.out }

// Unwrap returns a Writer's underlying writer, and any other writer unchanged.
func Unwrap(w io.Writer) io.Writer {
	if p, ok := w.(*Writer); ok {
		return p.Unwrap()
	}
	return w
}

// complete returns the length of text without an incomplete character at its
// end.
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
