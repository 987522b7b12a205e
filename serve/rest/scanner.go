package rest

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 64

// A scanner reads a JSON text without allocating values for it. As TensorFlow
// Serving does, it accepts the numbers NaN, Infinity and -Infinity.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("JSON at byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// end returns an error unless only white space is left.
func (s *scanner) end() error {
	if s.peek() != 0 || s.at < len(s.text) {
		return s.errorf("text after the end of the value")
	}
	return nil
}

// members calls member for each member of the next object. The scanner is before the
// value, which member must consume.
func (s *scanner) members(member func(name string) error) error {
	return s.list('{', '}', func(int) error {
		name, err := s.string()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.errorf("expected ':' after the name %.100q", name)
		}
		return member(name)
	})
}

// elements calls element for each element of the next array. The scanner is before
// the element, which element must consume.
func (s *scanner) elements(element func(i int) error) error {
	return s.list('[', ']', element)
}

func (s *scanner) list(open, shut byte, item func(i int) error) error {
	if !s.take(open) {
		return s.errorf("expected %q", open)
	}
	if s.take(shut) {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if s.take(shut) {
			return nil
		}
		if !s.take(',') {
			return s.errorf("expected ',' or %q", shut)
		}
	}
}

// string reads a string.
func (s *scanner) string() (string, error) {
	if s.peek() != '"' {
		return "", s.errorf("expected a string")
	}
	start := s.at
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			if !utf8.Valid(s.text[start:s.at]) {
				return "", s.errorf("a string is not UTF-8")
			}
			var v string
			if err := json.Unmarshal(s.text[start:s.at], &v); err != nil {
				return "", s.errorf("%v", err)
			}
			return v, nil
		}
	}
	return "", s.errorf("the string does not end")
}

// word reads the longest sequence of the characters of numbers and names.
func (s *scanner) word() []byte {
	s.peek()
	start := s.at
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '-', c == '.':
		default:
			return s.text[start:s.at]
		}
	}
	return s.text[start:]
}

// float reads a number that fits in a float of the given number of bits.
func (s *scanner) float(bits int) (float64, error) {
	switch w := string(s.word()); w {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	case "":
		return 0, s.errorf("expected a number")
	default:
		if !isNumber(w) {
			return 0, s.errorf("%.20q is not a number", w)
		}
		v, err := strconv.ParseFloat(w, bits)
		if err != nil {
			return 0, s.errorf("%.40s does not fit in a float%d", w, bits)
		}
		return v, nil
	}
}

// isNumber reports whether w has the syntax of a JSON number: strconv also
// accepts hexadecimal, leading zeros and underscores.
func isNumber(w string) bool {
	digits := func() bool {
		n := 0
		for n < len(w) && w[n] >= '0' && w[n] <= '9' {
			n++
		}
		w = w[n:]
		return n > 0
	}
	w = strings.TrimPrefix(w, "-")
	if strings.HasPrefix(w, "0") {
		w = w[1:]
	} else if !digits() {
		return false
	}
	if strings.HasPrefix(w, ".") {
		if w = w[1:]; !digits() {
			return false
		}
	}
	if w != "" && (w[0] == 'e' || w[0] == 'E') {
		w = w[1:]
		if w != "" && (w[0] == '+' || w[0] == '-') {
			w = w[1:]
		}
		return digits() && w == ""
	}
	return w == ""
}

// skip skips a value of any kind.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.errorf("nested deeper than %d", maxDepth)
	}
	switch s.peek() {
	case '{':
		return s.members(func(string) error { return s.skip(depth + 1) })
	case '[':
		return s.elements(func(int) error { return s.skip(depth + 1) })
	case '"':
		_, err := s.string()
		return err
	}
	switch w := string(s.word()); w {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return nil
	case "":
		return s.errorf("expected a value")
	default:
		if !isNumber(w) {
			return s.errorf("%.20q is not a value", w)
		}
		return nil
	}
}
