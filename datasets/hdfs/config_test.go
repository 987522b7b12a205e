package hdfs_test

import (
	"strings"
	"testing"

	"tkit/datasets/hdfs"
	"tkit/internal/fuzztest"
)

// An accepted URI is equivalent to its canonical form; its root is absolute and
// has no "..".
func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"hdfs://nn:8020/a%20b/../c", "hdfs:///", "hdfs://ns", "webhdfs://[::1]:1/%2e%2e/x", "hdfs://nn/%00", "hdfs://a@b/c", "hdfs:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		defer fuzztest.Watch(t, len(uri))()
		place, err := hdfs.ParsePlace(uri, "hdfs", "webhdfs")
		if err != nil {
			return
		}
		if !strings.HasPrefix(place.Root, "/") || strings.Contains(place.Root+"/", "/../") || strings.Contains(place.Root, "//") {
			t.Errorf("%q has the root %q", uri, place.Root)
		}
		again, err := hdfs.ParsePlace(place.URI(), "hdfs", "webhdfs")
		if err != nil || again != place {
			t.Errorf("%q is %+v, and its form %q is %+v, %v", uri, place, place.URI(), again, err)
		}
	})
}
