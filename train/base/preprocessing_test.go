package base

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParsePreprocessing(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := [3]int{}
	for _, c := range []struct {
		given string
		size  [3]int
		want  string
	}{
		{"caffe", [3]int{224, 224, 3}, ""},
		{"caffe", open, "images of any size"},
		{"keras", open, "neither one of"},
		{file("empty.yaml", ""), open, "is empty"},
		{file("unknown.yaml", "step: []"), open, `no "step"`},
		{file("steps.yaml", "steps: [{decode: {channels: 3}}]"), open, ""},
	} {
		_, err := ParsePreprocessing(t.Context(), c.given, c.size)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.given, err, c.want)
		}
	}
}
