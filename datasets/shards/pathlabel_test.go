package shards_test

import (
	"strings"
	"testing"

	"tkit/datasets/shards"
	"tkit/internal/fuzztest"
)

func TestPathLabel(t *testing.T) {
	for path, want := range map[string]struct{ any, first, parent string }{
		"cat/0.jpg":        {"cat", "cat", "cat"},
		"photos/cat/0.jpg": {"photos", "photos", "cat"},
		"/cat/0.jpg":       {"cat", "cat", "cat"},
		"/a/b/cat/0.jpg":   {"cat", "a", "cat"},
		"hdfs://nn:8020/user/ann/photos/cat/0.jpg": {"cat", "user", "cat"},
		"hdfs:///user/cat/0.jpg":                   {"cat", "user", "cat"},
		"s3a://bucket/cat/0.jpg":                   {"cat", "cat", "cat"},
		"https://h/x/cat/0.jpg?a=b/c":              {"cat", "x", "cat"},
		"file:/x/cat/0.jpg":                        {"cat", "x", "cat"},
		`C:\photos\cat\0.jpg`:                      {"cat", "photos", "cat"},
		`cat\0.jpg`:                                {"cat", "cat", "cat"},
		"C:/photos/cat/0.jpg":                      {"cat", "photos", "cat"},
		"hdfs://nn/0.jpg":                          {"", "", ""},
		"hdfs://nn":                                {"", "", ""},
		"/0.jpg":                                   {"", "", ""},
		"0.jpg":                                    {"", "", ""},
		"":                                         {"", "", ""},
		"a:b/0.jpg":                                {"a:b", "a:b", "a:b"}, // a folder
	} {
		for part, label := range map[shards.PathLabel]string{shards.AnyFolder: want.any, shards.FirstFolder: want.first, shards.Parent: want.parent, shards.WholePath: path} {
			got, note := part.Of(path)
			if got != label {
				t.Errorf("%q of %q is %q, want %q", part, path, got, label)
			}
			if whole := part == shards.AnyFolder && want.any != want.first; whole != strings.Contains(note, "absolute paths") {
				t.Errorf("%q of %q: %q", part, path, note)
			}
		}
	}
}

func FuzzPathLabel(f *testing.F) {
	for _, s := range []string{"a/b.jpg", "hdfs://nn/a/b", `C:\a\b`, "//", "file:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		defer fuzztest.Watch(t, len(path))()
		for _, part := range []shards.PathLabel{shards.AnyFolder, shards.FirstFolder, shards.Parent} {
			if label, _ := part.Of(path); strings.Contains(label, "/") || !strings.Contains(path, label) {
				t.Errorf("%q of %q is %q", part, path, label)
			}
		}
	})
}
