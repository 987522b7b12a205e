package printable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tkit/internal/fuzztest"
	"tkit/internal/printable"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"", ""},
		{"Zürich, 東京, 👩‍🔬, हिन्दी", "Zürich, 東京, 👩‍🔬, हिन्दी"},
		{"\x1b]0;title\x07\x1b[31mred", `\u001b]0;title\u0007\u001b[31mred`},
		{"a\nforged\tline\r", `a\nforged\tline\r`},
		{"a\u202egnp.exe\u2066\u200f", `a\u202egnp.exe\u2066\u200f`},
		{"\u009b31m\u2028\x7f", `\u009b31m\u2028\u007f`},
		{"\x9b31m\xff", `\x9b31m\xff`},
		{"\ufffd", "\ufffd"},
	} {
		if got := printable.Text(c.given); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.given, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	for given, want := range map[string]string{
		"a\x1b[2Jb\x00\r\nc\n":              `a\u001b[2Jb\u0000 c`,
		"\u202eabc\u2066":                   `\u202eabc\u2066`,
		"naïve – 日本 \u200d":                 "naïve – 日本 \u200d",
		"bad \xff\u2028\tend":               `bad \xff  end`,
		strings.Repeat("é", 50):             strings.Repeat("é", 50),
		strings.Repeat("é", 50) + "e":       strings.Repeat("é", 50) + "…",
		"a" + strings.Repeat("é", 50):       "a" + strings.Repeat("é", 49) + "…",
		strings.Repeat("\a", 20):            strings.Repeat(`\u0007`, 20)[:100] + "…",
		strings.Repeat("\n", 200) + "never": "…",
	} {
		if got := printable.Line(given, 100); got != want {
			t.Errorf("Line(%q) = %q, want %q", given, got, want)
		}
	}
}

type named string

type stringer struct{}

func (stringer) String() string { return "\x1bs" }

func TestFprintf(t *testing.T) {
	var b strings.Builder
	printable.Fprintf(&b, "%s %v %v %v %v %d\n", "\x1b", errors.New("\n"), named("\t"), stringer{}, []string{"\x07"}, 3)
	if got, want := b.String(), `\u001b \n \t \u001bs [\u0007] 3`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFilteredJSON checks that a Writer does not change the meaning of JSON,
// and that the output controls no terminal.
func TestFilteredJSON(t *testing.T) {
	given := map[string]string{"a\u202e\x1b\u009b": "x\x7f\u2028\r\n\t\"\\"}
	var b bytes.Buffer
	if err := json.NewEncoder(printable.NewWriter(&b)).Encode(given); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.TrimSpace(b.String()), func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	}) {
		t.Errorf("%q", b.String())
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got) != 1 || got["a\u202e\x1b\u009b"] != given["a\u202e\x1b\u009b"] {
		t.Errorf("read back %q: %v", got, err)
	}
}

// TestWriterInPieces writes text byte by byte: multi-byte characters stay
// intact.
func TestWriterInPieces(t *testing.T) {
	const text = "Zürich\t東京 👩\x1b[2J\n\xe2\x82x"
	var b bytes.Buffer
	w := printable.NewWriter(&b)
	for i := range len(text) {
		if n, err := w.Write([]byte{text[i]}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := string(printable.Lines([]byte(text))); b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	if printable.Unwrap(w) != io.Writer(&b) || printable.Unwrap(&b) != io.Writer(&b) {
		t.Error("Unwrap does not return what is written to")
	}
}

func TestCut(t *testing.T) {
	for text, want := range map[string]string{"": "", "müde": "müde", "müdes": "müde…", "mühsü": "mühs…"} {
		if got := printable.Cut(text, 5); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		defer fuzztest.Watch(t, len(s))()
		got := printable.Text(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q", got)
		}
		if len(got) > 6*len(s) {
			t.Errorf("%d bytes became %d", len(s), len(got))
		}
		line := printable.Line(s, 10)
		if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) || len(line) > 10+len("…") {
			t.Errorf("%q", line)
		}
		if again := printable.Text(got); again != got {
			t.Errorf("%q is not final: %q", got, again)
		}
	})
}
