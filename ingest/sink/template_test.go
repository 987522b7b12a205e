package sink_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tkit/ingest/sink"
	"tkit/internal/fuzztest"
)

func TestTemplate(t *testing.T) {
	v := sink.Values{
		SHA256: "ab12", Date: time.Date(2026, 11, 30, 23, 30, 0, 0, time.FixedZone("", -3600)),
		Label: "a/b", Model: "flowers", Source: "scanner 1/new",
	}
	for text, want := range map[string]string{
		"{hash}":                           "ab",
		"fixed/{hash}":                     "fixed/ab",
		"date={date}/label={label}/{hash}": "date=2026-12-01/label=a%2Fb/ab",
		"{year}/{month}/{day}":             "2026/12/01",
		"{model}-{source}":                 "flowers-scanner 1%2Fnew",
	} {
		if got := template(t, text).Folder(v); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{
		"", "/a", "a/", "a//b", "../a", "a/../b", ".", ".hidden", "a/.b", "{labl}", "{label", "a|b", "a:b", "a%b",
		strings.Repeat("x", 300), "{label}{model}{source}{label}",
	} {
		if _, err := sink.ParseTemplate(text); err == nil || !strings.Contains(err.Error(), "partition") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Different values have different names, which are possible everywhere.
func FuzzValues(f *testing.F) {
	for _, pair := range [][2]string{
		{"", "%none"}, {"a/b", "a%2Fb"}, {".a", "%2Ea"}, {"a\xff", "a\ufffd"}, {"_x", "x"},
		{strings.Repeat("ä", 100), strings.Repeat("ä", 101)},
	} {
		f.Add(pair[0], pair[1])
	}
	label, err := sink.ParseTemplate("{label}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		defer fuzztest.Watch(t, len(a)+len(b))()
		one, other := label.Folder(sink.Values{Label: a}), label.Folder(sink.Values{Label: b})
		if (a == b) != (one == other) {
			t.Errorf("%q and %q become %q and %q", a, b, one, other)
		}
		if one == "" || len(one) > 64 || strings.ContainsAny(one, "/|:\x00") || one[0] == '.' || !utf8.ValidString(one) {
			t.Errorf("%q becomes %q", a, one)
		}
	})
}
