package all_test

import (
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/shards/shardstest"
	"tkit/internal/fuzztest"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ uri, want, err string }{
		{dir, "file://" + dir, ""},
		{"file://" + dir, "file://" + dir, ""},
		{dir + "/./", "file://" + dir, ""},
		{"", "", "no dataset is named"},
		{dir + "/gone", "", "no such file"},
		{dir + "/gone.tar", "", "no such file"},
		{dir + "/a://b", "", "no such file"}, // a path, not a scheme
		{"s3://bucket/images", "", "unknown scheme s3://: tkit reads a plain path or file://, hdfs://, webhdfs://, swebhdfs://"},
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
		if err == nil {
			if err := datasets.Close(src); err != nil {
				t.Error(err)
			}
		}
	}
}

// stored has a folder for each way that images lie in.
func stored(t *testing.T) string {
	root := shardstest.Write(t, map[string][]byte{
		"photos/cats/1.png": nil, "photos/train/1.png": nil,
		"spelt/Training/cats/1.png": nil, "spelt/dev_set/cats/2.png": nil, "spelt/test2/3.png": nil, "spelt/README.txt": nil,
		"vehicles/train/1.png": nil, "vehicles/bus/1.png": nil, "vehicles/test strip/1.png": nil,
		"quality/valid/1.png": nil, "quality/invalid/1.png": nil, "tested/val/a/1.png": nil, "tested/test/a/1.png": nil,
		"split/train/cats/1.png": nil, "split/val/cats/2.png": nil, "split/.DS_Store": nil,
		"lists/a.csv": nil, "lists/b.JSONL": nil, "lists/c.txt": nil,
		"tars/a-000.tar": nil, "tars/a-001.tar": nil, "tars/b-000.tar": nil, "tars/._a.tar": nil, "tars/a-000.idx": nil,
		"records/train-00000-of-00001": nil, "records/test.tfrecord": nil, "records/dataset_info.json": nil,
		"sequences/part-r-00000": nil, "sequences/_SUCCESS": nil,
		"mixed/a.tar": nil, "mixed/b.tfrecord": nil,
		"odd/x #1 ?.tar": nil,
	})
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

// TestFormats says which format is found where, as the canonical URI has it,
// and which options each takes.
func TestFormats(t *testing.T) {
	root := stored(t)
	t.Chdir(root)
	at := func(path string) string { return (&url.URL{Scheme: "file", Path: root + "/" + path}).String() }
	for _, c := range []struct{ given, want, err string }{
		{"photos", at("photos"), ""},
		{"split", at("split") + "?format=folder&splits=folders", ""},
		{"split?format=folder", at("split") + "?format=folder", ""}, // the classes train and val
		{"lists/a.csv", at("lists/a.csv") + "?format=manifest", ""},
		{"lists/b.JSONL", at("lists/b.JSONL") + "?format=manifest", ""},
		{"lists/c.txt?format=manifest", at("lists/c.txt") + "?format=manifest", ""},
		{"tars", at("tars") + "?format=tar", ""},
		{"tars/", at("tars") + "?format=tar", ""},
		{"tars?files=a-*.tar", at("tars") + "?files=a-%2A.tar&format=tar", ""},
		{at("tars") + "?files=a-%2A.tar&splits=names", at("tars") + "?files=a-%2A.tar&format=tar&splits=names", ""},
		{"tars/a-000.tar", at("tars/a-000.tar") + "?format=tar", ""},
		{"odd/x #1 ?.tar", at("odd/x #1 ?.tar") + "?format=tar", ""},
		{"records", at("records") + "?format=tfrecord", ""},
		{"records/test.tfrecord?image=jpeg&label=species", at("records/test.tfrecord") + "?format=tfrecord&image=jpeg&label=species", ""},
		{"sequences", at("sequences") + "?format=sequencefile", ""},
		{"sequences/part-r-00000?label=parent", at("sequences/part-r-00000") + "?format=sequencefile&label=parent", ""},
		{"mixed", at("mixed"), ""}, // a folder per class, without one: all is reported
		{"mixed?format=tar&files=*.tar", at("mixed") + "?files=%2A.tar&format=tar", ""},

		{"tars?format=zip", "", `the format "zip" is unknown: there are folder, manifest, tfrecord, tar, sequencefile`},
		{"tars?format=tar&label=parent", at("tars") + "?format=tar&label=parent", ""},
		{"tars?image=input.jpg&label=fine.cls", at("tars") + "?format=tar&image=input.jpg&label=fine.cls", ""},
		{"tars?format=tar&group=x", "", "the format tar has no option group="},
		{"photos?label=parent", at("photos") + "?format=folder&label=parent", ""},
		{"photos?label=key", "", "the format folder takes label=folder"},
		{"spelt", at("spelt") + "?format=folder&splits=folders", ""},
		{"spelt?format=folder", at("spelt") + "?format=folder", ""},
		{"vehicles", at("vehicles"), ""},
		{"quality", at("quality"), ""},
		{"tested", at("tested"), ""}, // no side to train on
		{"photos?splits=names", "", "splits=names: the format folder takes splits=folders"},
		{"tars?splits=folders", "", "splits=folders: the format tar takes splits=names"},
		{"tars?files=a&files=b", "", "give files= once, with a value"},
		{"tars?files=", "", "give files= once, with a value"},
		{"lists?format=manifest", "", "which file is the manifest?"},
		{"sequences?label=name", "", "want folder, parent or key"},
		{at("tars") + "?colour=red", "", "colour"},
		{"nothing?format=tar", "", "nothing"},
		{"tars/a-000.tar?files=a-*.tar", "", "a pattern is for a folder"},
		{"tars?files=%zz", "", "its options"},
	} {
		src, err := all.Open(t.Context(), c.given)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %q", c.given, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.given, err)
			continue
		}
		if src.URI() != c.want {
			t.Errorf("%s: the source is %s, want %s", c.given, src.URI(), c.want)
		}
		if err := datasets.Close(src); err != nil {
			t.Error(err)
		}
		for _, uri := range []string{src.URI(), asURI(t, c.given)} {
			again, err := all.Open(t.Context(), uri)
			if err != nil || again.URI() != c.want {
				t.Errorf("%s is opened again as %v, %v", uri, again, err)
				continue
			}
			if err := datasets.Close(again); err != nil {
				t.Error(err)
			}
		}
	}
}

func asURI(t *testing.T, given string) string {
	t.Helper()
	uri, err := all.URI(given)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// A pattern chooses among the files of the folder and leads nowhere else.
func TestFilesStayInTheFolder(t *testing.T) {
	root := stored(t)
	for _, files := range []string{"../mixed/a.tar", "/etc/passwd", "%2e%2e/mixed/a.tar", "../*/a.tar", "none-*.tar"} {
		src, err := all.Open(t.Context(), "file://"+root+"/tars?format=tar&files="+files)
		if err != nil {
			t.Fatal(err)
		}
		defer datasets.Close(src)
		elements := 0
		for e, err := range src.Examples(t.Context()) {
			if elements++; !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, %v", files, e.Key, err)
			}
		}
		if elements != 1 {
			t.Errorf("%s: %d elements", files, elements)
		}
	}
}

// Whatever is given, it is a URI that is itself given, or an error.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"photos", "tars?files=a-*.tar", "file:///x?format=tar&files=%2A", "hdfs://nn/a%20b?splits=names", "?format=tar", "a?b?label=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, given string) {
		defer fuzztest.Watch(t, len(given))()
		uri, err := all.URI(given)
		if err != nil {
			return
		}
		if again, err := all.URI(uri); err != nil || again != uri {
			t.Errorf("%q becomes %q, and that %q, %v", given, uri, again, err)
		}
	})
}
