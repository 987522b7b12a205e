package sequencefile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/files"
	"tkit/datasets/local"
	"tkit/datasets/sequencefile"
	"tkit/datasets/shards"
	"tkit/datasets/shards/shardstest"
	"tkit/datasets/sourcetest"
	"tkit/internal/fuzztest"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/needs"
)

func format(p packing) shardstest.Format {
	return shardstest.Format{
		Extension: ".seq",
		Pack:      p.pack,
		New: func(tree files.Tree, c shards.Config) (*shards.Source, error) {
			return sequencefile.New(tree, sequencefile.Config{Shards: c})
		},
		Open: all.Open,
	}
}

var packings = map[string]packing{
	"None": {}, "Record": {compressed: true}, "RecordGzip": {compressed: true, gzip: true},
	"Block": {compressed: true, block: true}, "BlockGzip": {compressed: true, block: true, gzip: true},
}

func TestSource(t *testing.T) {
	for name, p := range packings {
		t.Run(name, func(t *testing.T) { shardstest.Run(t, format(p)) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, c sequencefile.Config, stored map[string][]byte) datasets.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: shardstest.Write(t, stored)})
	must(t, err)
	src, err := sequencefile.New(tree, c)
	must(t, err)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

func list(t *testing.T, b []byte) ([]string, map[string]shardstest.Found, error) {
	t.Helper()
	return shardstest.List(t.Context(), open(t, sequencefile.Config{}, map[string][]byte{"x.seq": b}))
}

func four() []shardstest.File {
	var stored []shardstest.File
	for i := range 4 {
		stored = append(stored, shardstest.File{File: sourcetest.File{Key: fmt.Sprintf("a/%d.png", i), Bytes: sourcetest.Picture(i)}})
	}
	return stored
}

// TestHadoop reads files written by Hadoop's classes, and reads the other
// tests' files with them.
func TestHadoop(t *testing.T) {
	needs.JVM(t)
	lib, err := hdfstest.Jars()
	must(t, err)
	dir := t.TempDir()
	arguments := []string{"-Xmx128m", "-cp", filepath.Join(lib, "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", filepath.Join("testdata", "Write.java"), dir}
	ours := t.TempDir()
	for _, name := range []string{"None", "Record", "Block"} {
		path := filepath.Join(ours, name)
		must(t, os.WriteFile(path, packings[name].pack(t, four()), 0o644))
		arguments = append(arguments, path)
	}
	command := exec.CommandContext(t.Context(), "java", arguments...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	want := ""
	for _, f := range four() {
		want += fmt.Sprintf("%s %d\n", f.Key, len(f.Bytes))
	}
	if string(out) != strings.Repeat(want, 3) {
		t.Errorf("Hadoop reads %q of the tests' files", out)
	}

	for _, c := range []struct {
		query, key, label string // of record 7
	}{
		{"none.seq", "class1/deep/7.png", "class1"},
		{"record.seq?label=folder", "class1/deep/7.png", "class1"},
		{"block.seq?label=parent", "class1/deep/7.png", "deep"},
		{"deflate.seq?label=key", "class1/deep/7.png", "class1/deep/7.png"},
		{"bytes.seq", "class1/deep/7.png", "class1"},
		{"int.seq?label=key", "6", "6"},
		{"long.seq?label=key", "1099511627783", "1099511627783"},
		{"null.seq", "", ""},
	} {
		src, err := all.Open(t.Context(), "file://"+filepath.Join(dir, c.query))
		must(t, err)
		keys, found, err := shardstest.List(t.Context(), src)
		must(t, err)
		for i, k := range keys {
			text := strings.Repeat(fmt.Sprintf("image %d ", i), 1+i)
			if f := found[k]; f.Err != nil || f.Bytes != text {
				t.Fatalf("%s: record %d: %d bytes, %v", c.query, i, len(f.Bytes), f.Err)
			}
		}
		if len(keys) != 300 || shardstest.Member(keys[7]) != c.key || found[keys[7]].Label != c.label {
			t.Errorf("%s: %d records, the seventh %s, %q", c.query, len(keys), keys[7], found[keys[7]].Label)
		}
		must(t, datasets.Close(src))
	}
	src, err := all.Open(t.Context(), filepath.Join(dir, "bzip2.seq"))
	must(t, err)
	defer datasets.Close(src)
	if _, _, err := shardstest.List(t.Context(), src); err == nil || !strings.Contains(err.Error(), "BZip2Codec: write it with DefaultCodec or GzipCodec") {
		t.Errorf("bzip2: %v", err)
	}
}

// TestKeysThatAreWholePaths derives labels from the folders that contain the
// images, because the first folder is meaningless, and notes it.
func TestKeysThatAreWholePaths(t *testing.T) {
	var stored []shardstest.File
	for i, key := range []string{"hdfs://nn:8020/user/ann/photos/cat/0.png", "hdfs://nn:8020/user/ann/photos/dog/0.png"} {
		stored = append(stored, shardstest.File{File: sourcetest.File{Key: key, Bytes: sourcetest.Picture(i)}})
	}
	for _, c := range []struct {
		label shards.PathLabel
		want  []string
		notes int
	}{{"", []string{"cat", "dog"}, 1}, {shards.Parent, []string{"cat", "dog"}, 0}, {shards.FirstFolder, []string{"user"}, 0}} {
		src := open(t, sequencefile.Config{Label: c.label}, map[string][]byte{"x.seq": packing{}.pack(t, stored)})
		snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
		must(t, err)
		if !slices.Equal(snapshot.Labels(), c.want) || len(report.Notes) != c.notes {
			t.Errorf("label=%s: %q, %q", c.label, snapshot.Labels(), report.Notes)
		}
	}
}

// Every cut is detected, except between two records or blocks; then the records
// before it are intact.
func TestTruncated(t *testing.T) {
	needs.Minutes(t)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			whole := p.pack(t, four())
			passed := 0
			for cut := range whole {
				keys, found, err := list(t, whole[:cut])
				if err == nil {
					passed++
				} else if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "shard x.seq: at ") {
					t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
				}
				for i, k := range keys {
					if f := found[k]; k != "x.seq" && (f.Err != nil || f.Bytes != string(sourcetest.Picture(i))) {
						t.Fatalf("cut at %d of %d: record %d: %d bytes, %v", cut, len(whole), i, len(f.Bytes), f.Err)
					}
				}
			}
			// After the header, after each record or block, and after the sync marker.
			if want := map[bool]int{false: 5, true: 2}[p.block]; passed != want {
				t.Errorf("%d cuts of %d pass, want %d", passed, len(whole), want)
			}
		})
	}
}

// A flipped bit is detected if a length, a sync marker or a checksum covers it.
// An uncompressed image has none: the snapshot's SHA-256 is the first check.
// Files that are accepted have the right number of records.
func TestDamaged(t *testing.T) {
	needs.Minutes(t)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			whole := p.pack(t, four())
			header := len(p.pack(t, nil))
			for at := header; at < len(whole); at++ {
				b := bytes.Clone(whole)
				b[at] ^= 1 << (at % 8)
				keys, found, err := list(t, b)
				if err != nil {
					continue
				}
				wrong := 0
				for i, k := range keys {
					if f := found[k]; f.Err == nil && f.Bytes != string(sourcetest.Picture(i)) {
						wrong++
					}
				}
				if wrong > 0 && p.compressed || len(keys) != 4 || wrong > 1 {
					t.Fatalf("a wrong bit at %d: %d records, %d wrong", at, len(keys), wrong)
				}
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	header := func(values, codec string) []byte {
		b := append([]byte("SEQ\x06"), text(writable+"Text")...)
		b = append(b, text(values)...)
		return append(append(b, 1, 0), text(codec)...)
	}
	for words, b := range map[string][]byte{
		"not a SequenceFile":                  []byte("none and more"),
		"its version is 4":                    append([]byte("SEQ\x04"), make([]byte, 100)...),
		"its values are org.x.Y":              header("org.x.Y", ""),
		"compressed with x.Codec: write it":   header(writable+"BytesWritable", "x.Codec"),
		"the name of the keys' class of 2097": append([]byte("SEQ\x06\x8d\x20\x00\x00"), make([]byte, 100)...),
	} {
		if _, _, err := list(t, b); err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "shard x.seq") {
			t.Errorf("%s: %v", words, err)
		}
	}
	if _, err := all.Open(t.Context(), "file://"+shardstest.Write(t, map[string][]byte{"x.seq": packing{}.pack(t, four())})+"?label=name"); err == nil || !strings.Contains(err.Error(), "want folder, parent or key") {
		t.Error(err)
	}
}

// Lengths are limited by the file's size, and uncompressed sizes by a bound.
func TestHugeLength(t *testing.T) {
	for _, length := range []uint32{1 << 20, 1 << 30, 1<<31 - 1, 1 << 31} {
		b := packing{}.pack(t, nil)
		b = binary.BigEndian.AppendUint32(b, length)
		b = binary.BigEndian.AppendUint32(b, 4)
		if keys, _, err := list(t, append(b, 0, 0, 0, 0)); err == nil {
			t.Errorf("a record of %d bytes: %q", length, keys)
		}
	}
	for i := range 5 {
		b := packing{compressed: true, block: true}.pack(t, nil)
		b = append(append(b, 0xff, 0xff, 0xff, 0xff), marker...)
		for range i {
			b = append(b, 1, 0) // one record, and pieces of one byte
		}
		if keys, _, err := list(t, append(b, vInt(1<<40)...)); err == nil {
			t.Errorf("a block with a huge number at %d: %q", i, keys)
		}
	}
}

// Zeros compress by a factor of a thousand.
func TestDecompressionIsBounded(t *testing.T) {
	needs.Minutes(t)
	p := packing{compressed: true}
	bomb := shardstest.File{File: sourcetest.File{Key: "a/1.png", Bytes: make([]byte, 257<<20)}}
	_, found, err := list(t, p.pack(t, []shardstest.File{bomb}))
	must(t, err)
	if err := found["x.seq!000000000/a/1.png"].Err; err == nil || !strings.Contains(err.Error(), "the result exceeds") {
		t.Errorf("a quarter of a gigabyte: %v", err)
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{"a.seq": true, "A.SEQ": true, "a.sequencefile": true, "part-r-00000": true, "part-00000.gz": false, "a.tar": false} {
		if sequencefile.Named(name) != want {
			t.Errorf("%s is named %t", name, !want)
		}
	}
}

func FuzzShard(f *testing.F) {
	f.Add([]byte("SEQ\x06"))
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range packings {
			if !yield(name) {
				return
			}
		}
	}) {
		f.Add(packings[name].pack(f, four()[:3]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		defer fuzztest.Watch(t, len(b))()
		shardstest.Take(t, format(packing{}), b, 1100*len(b)+1<<10)
	})
}
