package present_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/internal/ttytest"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 102_600_000: "102.6 MB", 999_960: "1.0 MB", 1 << 62: "4.6 EB"} {
		if got := present.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// Untrusted cells cannot forge rows or columns.
func TestTable(t *testing.T) {
	var b strings.Builder
	if err := present.Table(&b, []string{"name", "why"}, [][]string{{"a\nforged\trow", "x"}, {"b", "\x1b[31mred"}}); err != nil {
		t.Fatal(err)
	}
	want := "NAME            WHY\n" + `a\nforged\trow  x` + "\n" + `b               \u001b[31mred` + "\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPairs(t *testing.T) {
	var b strings.Builder
	if err := present.Pairs(&b, [][2]string{{"plugin", "invert"}, {"summary", ""}, {"digest", "sha256:0"}}); err != nil {
		t.Fatal(err)
	}
	if want := "plugin  invert\ndigest  sha256:0\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestLines(t *testing.T) {
	var b strings.Builder
	if err := present.Lines(&b, []int{1, 2}); err != nil || b.String() != "1\n2\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

func TestUntil(t *testing.T) {
	if got := present.Until(time.Time{}); got != "-" {
		t.Errorf("never is %q", got)
	}
}

// A table fits the terminal: its widest columns are wrapped. Into a file nothing
// is wrapped or styled.
func TestTableFitsTheTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	header := []string{"name", "why", "n"}
	rows := [][]string{{"rose", "because it is a flower with thorns", "1"}, {"sha256:0123456789abcdef", "", "22"}}
	tty, shown := ttytest.Screen(t, 40, 20)
	if err := present.Table(printable.NewWriter(tty), header, rows); err != nil {
		t.Fatal(err)
	}
	want := "NAME               WHY                N\n" +
		"rose               because it is a    1\n" +
		"                   flower with\n" +
		"                   thorns\n" +
		"sha256:0123456789                     22\n" +
		"abcdef\n"
	if got := strings.TrimSuffix(strings.ReplaceAll(shown(), "\r", ""), "\x04"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var b strings.Builder
	if err := present.Table(&b, header, rows); err != nil || strings.Count(b.String(), "\n") != 3 || !strings.Contains(b.String(), "flower with thorns") {
		t.Errorf("without a terminal: %v\n%s", err, b.String())
	}
}

func TestStyled(t *testing.T) {
	for _, c := range []struct{ term, noColor, want string }{
		{"xterm", "", "\x1b[31mred\x1b[0m"}, {"xterm", "1", "red"}, {"dumb", "", "red"},
	} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColor)
		tty, shown := ttytest.Screen(t, 80, 20)
		if err := present.Styled(printable.NewWriter(tty), present.Red, "red"); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(shown(), "\x04"); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	t.Setenv("TERM", "xterm")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = present.Styled(w, present.Red, "red")
	w.Close()
	if got, _ := io.ReadAll(r); err != nil || string(got) != "red" {
		t.Errorf("a pipe gets %q, %v", got, err)
	}
}

func TestWrap(t *testing.T) {
	for width, want := range map[int]string{
		0: "one two  three", 20: "one two  three", 9: "one two/three", 7: "one two/three", 4: "one/two/thre/e",
	} {
		if got := strings.Join(present.Wrap("one two  three", width), "/"); got != want {
			t.Errorf("Wrap at %d: %q, want %q", width, got, want)
		}
	}
}
