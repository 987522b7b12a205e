package all_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/sequencefile"
	"tkit/datasets/shards"
	"tkit/datasets/shards/shardstest"
	"tkit/datasets/sourcetest"
	"tkit/datasets/tarshards"
	"tkit/datasets/tfrecord"
	"tkit/internal/fuzztest"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ uri, want, err string }{
		{dir, "file://" + dir, ""},
		{"file://" + dir, "file://" + dir, ""},
		{dir + "/./", "file://" + dir, ""},
		{"", "", "no dataset is given"},
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

// stored has a folder for each layout of images.
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

// TestFormats checks which format is detected, as the canonical URI shows, and
// which options each takes.
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
		{"mixed", at("mixed"), ""}, // a folder per class, but without one: everything is reported
		{"mixed?format=tar&files=*.tar", at("mixed") + "?files=%2A.tar&format=tar", ""},

		{"tars?format=zip", "", `unknown format "zip": the formats are folder, manifest, tfrecord, tar, sequencefile`},
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
		{at("tars") + "?colour=red", "", `there is no option "colour". There are format, files,`},
		{at("tars") + "?lable=x", "", `there is no option "lable": did you mean label=?`},
		{"tars?format=tar&file=x", "", `there is no option "file": did you mean files=?`},
		{"tars?lable=x", "", `if ?lable= begins options: there is no option "lable": did you mean label=?`},
		{"records?label=image/object/class/text", at("records") + "?format=tfrecord&label=image%2Fobject%2Fclass%2Ftext", ""},
		{"records?label=image%2Fobject%2Fclass&image=a/b", at("records") + "?format=tfrecord&image=a%2Fb&label=image%2Fobject%2Fclass", ""},
		{"nothing?format=tar", "", "nothing"},
		{"tars/a-000.tar?files=a-*.tar", "", "a pattern is for a folder"},
		{"tars?files=%zz", "", "options: "},
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

// TestContent checks which format is detected from the first bytes of files,
// whatever their names, and the errors about files that cannot be read.
func TestContent(t *testing.T) {
	var record, sequence, archive bytes.Buffer
	image := sourcetest.Picture(1)
	must(t, tfrecord.Write(&record, tfrecord.Image{Encoded: image, Label: "cat", Name: "1.png"}))
	must(t, sequencefile.Write(&sequence, []sequencefile.Entry{{Key: "cat/1.png", Bytes: image}}))
	w := tar.NewWriter(&archive)
	must(t, w.WriteHeader(&tar.Header{Name: "cat/1.png", Size: int64(len(image)), Mode: 0o644, Typeflag: tar.TypeReg}))
	_, err := w.Write(image)
	must(t, err)
	must(t, w.Close())
	gzipped := func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(b)
		must(t, err)
		must(t, z.Close())
		return out.Bytes()
	}
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	_, err = z.Write(record.Bytes())
	must(t, err)
	must(t, z.Close())
	for given, c := range map[string]struct {
		stored map[string][]byte
		want   string // the end of the URI, or an error
	}{
		"a/":                {map[string][]byte{"a/x.tfrec": record.Bytes()}, "?format=tfrecord"},
		"a/x":               {map[string][]byte{"a/x": record.Bytes()}, "x?format=tfrecord"},
		"b":                 {map[string][]byte{"b/one": record.Bytes(), "b/two": record.Bytes()}, "?format=tfrecord"},
		"c":                 {map[string][]byte{"c/part-r-00000": record.Bytes(), "c/_SUCCESS": nil}, "?format=tfrecord"},
		"d":                 {map[string][]byte{"d/part-00000": sequence.Bytes()}, "?format=sequencefile"},
		"e":                 {map[string][]byte{"e/data-00000-of-00001": archive.Bytes()}, "?format=tar"},
		"f":                 {map[string][]byte{"f/README.md": []byte("about it"), "f/x.record": record.Bytes()}, "?format=tfrecord"},
		"g":                 {map[string][]byte{"g/x": archive.Bytes()}, "?format=tar"},
		"h.tar":             {map[string][]byte{"h.tar": record.Bytes()}, "?format=tfrecord"},
		"i":                 {map[string][]byte{"i/1.png": image, "i/2.tar": archive.Bytes()}, "/i"},
		"j":                 {map[string][]byte{"j/cat/1.png": image, "j/x.tar.gz": gzipped(archive.Bytes())}, "/j"},
		"k.tar.gz":          {map[string][]byte{"k.tar.gz": archive.Bytes()}, "?format=tar"}, // already unpacked, under its old name
		"n/x.tfrecord.gz":   {map[string][]byte{"n/x.tfrecord.gz": gzipped(record.Bytes())}, "it is compressed with gzip: it can only be read sequentially, but images are read in any order; unpack it first: gunzip x.tfrecord.gz"},
		"o":                 {map[string][]byte{"o/a-000.tar.gz": gzipped(archive.Bytes())}, "unpack it first: gunzip a-000.tar.gz"},
		"p":                 {map[string][]byte{"p/a.tgz": gzipped(archive.Bytes())}, "unpack it first: gunzip a.tgz"},
		"q":                 {map[string][]byte{"q/x.tfrecord": gzipped(record.Bytes())}, "unpack it first: gunzip <x.tfrecord >unpacked-x.tfrecord"},
		"r":                 {map[string][]byte{"r/x.tfrecord": deflated.Bytes()}, "compressed with zlib"},
		"photos.zip":        {map[string][]byte{"photos.zip": []byte("PK\x03\x04...")}, "it is a ZIP file: its files cannot be read in place; unpack it first: unzip photos.zip"},
		"s":                 {map[string][]byte{"s/it's.zip": []byte("PK\x03\x04...")}, `unpack it first: unzip 'it'\''s.zip'`},
		"t":                 {map[string][]byte{"t/a.tar.zst": []byte("\x28\xb5\x2f\xfd...")}, "unpack it first: unzstd --rm a.tar.zst"},
		"u.parquet":         {map[string][]byte{"u.parquet": []byte("PAR1...")}, "it is a Parquet file"},
		"v.csv.gz":          {map[string][]byte{"v.csv.gz": gzipped([]byte("path,label\n"))}, "unpack it first: gunzip v.csv.gz"},
		"w.png":             {map[string][]byte{"w.png": image}, "it is one image: give the folder"},
		"y.bin":             {map[string][]byte{"y.bin": []byte("?")}, "neither its name nor its first bytes tell its format: give it by ?format="},
		"z?format=tfrecord": {map[string][]byte{"z/x.tfrecord": record.Bytes(), "z/y.tfrecord.gz": gzipped(record.Bytes())}, "shard y.tfrecord.gz: it is compressed with gzip"},
	} {
		root := shardstest.Write(t, c.stored)
		src, err := all.Open(t.Context(), root+"/"+given)
		if err == nil {
			var keys []string
			if keys, _, err = shardstest.List(t.Context(), src); err == nil && !strings.HasSuffix(src.URI(), c.want) {
				t.Errorf("%s: the source is %s with %q, want %s", given, src.URI(), keys, c.want)
			}
			must(t, datasets.Close(src))
		}
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", given, err, c.want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzHead detects the format of a file from its first bytes.
func FuzzHead(f *testing.F) {
	for _, s := range []string{"SEQ\x06", "PK\x03\x04", "\x78\x9c", "", strings.Repeat("\x00", 512)} {
		f.Add("it's", []byte(s))
	}
	f.Fuzz(func(t *testing.T, name string, head []byte) {
		defer fuzztest.Watch(t, len(name)+len(head))()
		for _, begins := range []func([]byte) bool{tfrecord.Begins, tarshards.Begins, sequencefile.Begins} {
			begins(head)
		}
		if err := shards.Packed(name, head); err != nil && strings.HasSuffix(err.Error(), " ") {
			t.Errorf("%q: %v", name, err)
		}
	})
}

// A pattern selects files of the folder and cannot leave it.
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

// Any input gives a URI that is unchanged when given again, or an error.
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
