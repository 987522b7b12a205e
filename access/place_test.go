package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
)

func TestLocate(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	scans := filepath.Join(dir, "scans #1")
	if err := os.MkdirAll(filepath.Join(scans, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(scans, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "list.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range []struct{ uri, canonical, path, err string }{
		{uri: scans, canonical: "file://" + dir + "/scans%20%231", path: scans},
		{uri: "scans #1/", canonical: "file://" + dir + "/scans%20%231", path: scans},
		{uri: "link/a/..", canonical: "file://" + dir + "/scans%20%231", path: scans},
		{uri: "file://localhost" + dir + "/link", canonical: "file://" + dir + "/scans%20%231", path: scans},
		{uri: "file://" + dir + "/link?format=folder", canonical: "file://" + dir + "/scans%20%231?format=folder", path: scans},
		{uri: "list.csv", canonical: "file://" + dir + "/list.csv", path: dir},
		{uri: "hdfs://nn:8020/data/../data/scans/", canonical: "hdfs://nn:8020/data/scans", path: "/data/scans"},
		{uri: "webhdfs://nn:9870/data/list.jsonl", canonical: "webhdfs://nn:9870/data/list.jsonl", path: "/data"},
		{uri: "webhdfs://nn:9870/data/LIST.CSV", canonical: "webhdfs://nn:9870/data/LIST.CSV", path: "/data"},
		{uri: "hdfs://nn/data/list.ndjson", canonical: "hdfs://nn/data/list.ndjson", path: "/data"},
		{uri: "hdfs://nn/data/list?format=manifest", canonical: "hdfs://nn/data/list?format=manifest", path: "/data"},
		{uri: "hdfs://nn/data/shards?files=a-%2A.tar", canonical: "hdfs://nn/data/shards?files=a-%2A.tar", path: "/data/shards"},
		{uri: "hdfs:///data", canonical: "hdfs:///data", path: "/data"},
		{uri: "hdfs://nn/.reserved/.inodes/17", err: "/.reserved"},
		{uri: "hdfs://nn/a/../.reserved/raw/data", err: "/.reserved"},
		{uri: "webhdfs:///data", canonical: "webhdfs:///data", path: "/data"},
		{uri: "webhdfs://", err: "no cluster"},
		{uri: "hdfs://nn/data/.snapshot/monday/scans", canonical: "hdfs://nn/data/.snapshot/monday/scans", path: "/data/scans"},
		{uri: "hdfs://nn/.snapshot/monday/data/scans/a.csv", canonical: "hdfs://nn/.snapshot/monday/data/scans/a.csv", path: "/data/scans"},
		{uri: "webhdfs://nn/data/scans/%2esnapshot/x", canonical: "webhdfs://nn/data/scans/.snapshot/x", path: "/data/scans"},
		{uri: "hdfs://nn/data/.snapshot", canonical: "hdfs://nn/data/.snapshot", path: "/data"},
		{uri: "s3://bucket/data", err: "unknown scheme"},
		{uri: "file://server/share", err: "file:///FOLDER"},
		{uri: "nowhere", err: "no such file"},
		{uri: "", err: "no dataset"},
	} {
		canonical, place, err := Locate(c.uri)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", c.uri, err)
			continue
		}
		if canonical != c.canonical || place.path != c.path {
			t.Errorf("%s: %s at %s", c.uri, canonical, place.path)
		}
		if again, ok := placeOf(canonical); err == nil && (!ok || again != place) {
			t.Errorf("%s: read again it is at %+v, not %+v", c.uri, again, place)
		}
	}
}

// What is found below a folder by its name alone is found by every name.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{"hdfs://nn/data/x", "hdfs://nn//data/./x/", "webhdfs://h:1/data/../data/x?format=tar", "hdfs://nn/%2e%2e/data/x", "hdfs://u@nn/data"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		defer fuzztest.Watch(t, len(uri))()
		if !strings.Contains(uri, "hdfs://") {
			return
		}
		canonical, place, err := Locate(uri)
		if err != nil {
			return
		}
		if strings.Contains(place.path, "..") && strings.Contains("/"+place.path+"/", "/../") || !strings.HasPrefix(place.path, "/") {
			t.Errorf("%q lies at %q", uri, place.path)
		}
		again, ok := placeOf(canonical)
		if !ok || again != place {
			t.Errorf("%q: %q lies at %+v and not %+v", uri, canonical, again, place)
		}
	})
}
