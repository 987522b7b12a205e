package files_test

import (
	gopath "path"
	"strings"
	"testing"

	"tkit/datasets/files"
	"tkit/internal/fuzztest"
)

// An accepted path stays below the root and is canonical.
func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"", "a/b", "../a", "a/../b", "/a", "a//b", "a/.", "a\x00", "..a/b..", "é/猫"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		defer fuzztest.Watch(t, len(path))()
		if files.CheckPath(path) != nil || path == "" {
			return
		}
		if joined := gopath.Join("/root", path); joined != "/root/"+path || strings.ContainsRune(path, 0) {
			t.Errorf("%q is accepted and leads to %q", path, joined)
		}
	})
}
