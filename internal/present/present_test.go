package present_test

import (
	"strings"
	"testing"
	"time"

	"tkit/internal/present"
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
