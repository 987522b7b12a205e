package all_test

import (
	"strings"
	"testing"

	"tkit/datasets/all"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ uri, want, err string }{
		{dir, "file://" + dir, ""},
		{"file://" + dir, "file://" + dir, ""},
		{dir + "/./", "file://" + dir, ""},
		{"", "", "no dataset is named"},
		{dir + "/gone", "", "no such file"},
		{dir + "/a://b", "", "no such file"}, // a path, not a scheme
		{"s3://bucket/images", "", "unknown scheme s3://: tkit reads a plain path or file://, webhdfs://, swebhdfs://"},
	} {
		src, err := all.Open(t.Context(), c.uri)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v", c.uri, err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.uri, err)
		case src.URI() != c.want:
			t.Errorf("%s: the source is %s", c.uri, src.URI())
		}
	}
}
