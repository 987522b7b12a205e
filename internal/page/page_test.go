package page

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"tkit/internal/fuzztest"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1 000", 123456: "123 456", 1234567: "1 234 567", -1234: "−1 234"} {
		if got := strings.ReplaceAll(Count(n), "\u202f", " "); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}

func TestPart(t *testing.T) {
	for want, of := range map[string][2]int{"0": {0, 5}, "100.00": {5, 5}, "25.00": {1, 4}, "0.40": {1, 1 << 40}} {
		if got := part(of[0], of[1]); got != want {
			t.Errorf("%v is %s", of, got)
		}
	}
	if part(1, 0) != "0" || part(-1, 5) != "0" {
		t.Error("a part of nothing")
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\u202egpj.exe\u2066\x1b[31m\x00")
	f.Add(strings.Repeat("猫", 500))
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		defer fuzztest.Watch(t, len(s))()
		got := text(s)
		if len([]rune(got)) > longest+1 {
			t.Errorf("%d runes", len([]rune(got)))
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q has %U", got, r)
			}
		}
	})
}

// A page shows all its input as text, whatever it contains, and has no external
// references.
func TestWrite(t *testing.T) {
	hostile := `</title><script>alert(1)</script>"'&<img src=x onerror=y>` + "\u202e"
	var b bytes.Buffer
	body := New(`{{define "body"}}{{template "figures" .}}{{end}}`)
	if err := body.Write(&b, Head{Kind: "Kind", Title: hostile, Lines: []string{hostile}, Foot: hostile},
		[]Figure{{Name: hostile, Value: hostile, Note: hostile}}); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, never := range []string{"<script", "<img", "http:", "https:", "url(", "@import", "<link", "ZgotmplZ"} {
		if strings.Contains(out, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if !strings.Contains(out, "default-src 'none'") || !strings.Contains(out, "prefers-color-scheme: dark") {
		t.Error("the page allows injection, or lacks a dark mode")
	}
	if n := strings.Count(out, "&lt;script&gt;alert(1)"); n != 7 {
		t.Errorf("%d of 7 texts are there", n)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no more")
	if err := WriteFile(path, func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "before" {
		t.Errorf("after a failure: %q, %v", b, err)
	}
	if err := WriteFile(path, func(w io.Writer) error { _, err := io.WriteString(w, "after"); return err }); err != nil {
		t.Fatal(err)
	}
	s, err := os.Stat(path)
	if err != nil || s.Mode() != 0o600 || s.Size() != 5 {
		t.Errorf("%v, %v", s.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	if err := WriteFile(dir, nil); err == nil {
		t.Error("a folder was overwritten")
	}
	if err := WriteFile(filepath.Join(dir, "none", "page.html"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
