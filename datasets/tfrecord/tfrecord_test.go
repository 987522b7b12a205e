package tfrecord_test

import (
	"bytes"
	"encoding/binary"
	"errors"
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
	"tkit/datasets/shards"
	"tkit/datasets/shards/shardstest"
	"tkit/datasets/sourcetest"
	"tkit/datasets/tfrecord"
)

var format = shardstest.Format{
	Extension: ".tfrecord",
	Pack:      pack,
	New: func(tree files.Tree, c shards.Config) (*shards.Source, error) {
		return tfrecord.New(tree, tfrecord.Config{Shards: c}), nil
	},
	Open: all.Open,
}

func TestSource(t *testing.T) { shardstest.Run(t, format) }

func pack(t testing.TB, packed []shardstest.File) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range packed {
		if f.Denied { // an example without an image
			must(t, tfrecord.Frame(&b, example(t, map[string]any{"image/filename": f.Key, "label": f.Label})))
			continue
		}
		must(t, tfrecord.Write(&b, tfrecord.Image{Encoded: f.Bytes, Label: f.Label, Name: f.Key}))
	}
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens shards that are of these bytes, by name.
func open(t *testing.T, c tfrecord.Config, stored map[string][]byte) datasets.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: shardstest.Write(t, stored)})
	must(t, err)
	src := tfrecord.New(tree, c)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

// fails lists shards and wants an error with these words, after so many records.
func fails(t *testing.T, stored map[string][]byte, records int, words ...string) error {
	t.Helper()
	keys, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{}, stored))
	if err == nil {
		t.Fatalf("%d records are listed as if that were all", len(keys))
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
	if len(keys) != records {
		t.Errorf("%d records before the error", len(keys))
	}
	if _, _, err := datasets.TakeSnapshot(t.Context(), open(t, tfrecord.Config{}, stored), datasets.SnapshotOptions{}); err == nil {
		t.Error("a snapshot is taken")
	}
	return err
}

func three(t *testing.T) []byte {
	return pack(t, []shardstest.File{
		{File: sourcetest.File{Key: "a/1.png", Label: "a", Bytes: sourcetest.Picture(1)}},
		{File: sourcetest.File{Key: "a/2.png", Label: "a", Bytes: sourcetest.Picture(2)}},
		{File: sourcetest.File{Key: "b/3.png", Label: "b", Bytes: sourcetest.Picture(3)}},
	})
}

// TestTensorFlow reads what TensorFlow's own writer writes, and has TensorFlow
// read what Write writes.
func TestTensorFlow(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours")
	must(t, os.WriteFile(ours, three(t), 0o644))
	python := os.Getenv("TKIT_PYTHON")
	if python == "" {
		python = filepath.Join("..", "..", ".deps", "python", "bin", "python")
	}
	written := filepath.Join(dir, "written")
	must(t, os.Mkdir(written, 0o755))
	arguments := []string{filepath.Join("testdata", "records.py"), written, ours}
	for n := range 10 {
		arguments = append(arguments, hexOf(sourcetest.Picture(n)))
	}
	command := exec.CommandContext(t.Context(), python, arguments...)
	command.Env = append(os.Environ(), "CUDA_VISIBLE_DEVICES=", "TF_CPP_MIN_LOG_LEVEL=3")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v (make deps installs Python with TensorFlow): %s", err, stderr.Bytes())
	}
	if want := "a a/1.png 1\na a/2.png 2\nb b/3.png 3\n"; pictures(string(out)) != want {
		t.Errorf("TensorFlow reads %q, want %q", pictures(string(out)), want)
	}

	for _, c := range []struct {
		query string
		want  []string // key, label, group, split, number of the picture
	}{
		{"slim", []string{
			"train-00000-of-00002!000000000/n01/x.png fish  train 1", "train-00000-of-00002!000000001/x.png bird  train 2", "train-00001-of-00002!000000000 7  train 3"}},
		{"tfds", []string{"digits-test.tfrecord-00000-of-00001!000000000 4  test 4", "digits-test.tfrecord-00000-of-00001!000000001   test 5"}},
		{"own", []string{"own.tfrecord!000000000 cat patient-3 validation 6"}},
	} {
		options := map[string]string{
			"slim": "?splits=names", "tfds": "?splits=names",
			"own": "?image=jpeg&label=species&group=patient&split=side",
		}[c.query]
		src, err := all.Open(t.Context(), "file://"+filepath.Join(written, c.query)+options)
		must(t, err)
		keys, found, err := shardstest.List(t.Context(), src)
		must(t, err)
		var got []string
		for _, k := range keys {
			f := found[k]
			must(t, f.Err)
			got = append(got, strings.Join([]string{k, f.Label, f.Group, f.Split, number(f.Bytes)}, " "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.query, got, c.want)
		}
		must(t, datasets.Close(src))
	}

	src, err := all.Open(t.Context(), filepath.Join(written, "zipped"))
	must(t, err)
	defer datasets.Close(src)
	if _, _, err := shardstest.List(t.Context(), src); err == nil || !strings.Contains(err.Error(), "compressed: write it without") {
		t.Errorf("a compressed file: %v", err)
	}
}

// number is of the picture, or what is there in its place.
func number(b string) string {
	for n := range 10 {
		if b == string(sourcetest.Picture(n)) {
			return string(rune('0' + n))
		}
	}
	return "?"
}

// pictures replaces the hexadecimal picture that ends each line by its number.
func pictures(lines string) string {
	for n := range 10 {
		lines = strings.ReplaceAll(lines, hexOf(sourcetest.Picture(n)), string(rune('0'+n)))
	}
	return lines
}

// Wherever a file is cut, that is noticed, but between two records, where
// nothing tells; then the records before are whole.
func TestTruncated(t *testing.T) {
	whole := three(t)
	ends := []int{0}
	for at := 0; at < len(whole); {
		at += 12 + int(binary.LittleEndian.Uint64(whole[at:])) + 4
		ends = append(ends, at)
	}
	for cut := range whole {
		records := 0
		for _, end := range ends[1:] {
			if end <= cut {
				records++
			}
		}
		keys, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{}, map[string][]byte{"x.tfrecord": whole[:cut]}))
		if slices.Contains(ends, cut) {
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(keys) != records {
			t.Fatalf("cut at %d of %d: %d records, %v", cut, len(whole), len(keys), err)
		}
	}
	fails(t, map[string][]byte{"x.tfrecord": whole[:len(whole)-1]}, 2, "shard x.tfrecord", "truncated")
}

// Whichever bit is wrong, a checksum says so.
func TestDamaged(t *testing.T) {
	whole := three(t)
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if _, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{}, map[string][]byte{"x.tfrecord": b})); err == nil {
			t.Fatalf("a wrong bit at %d passes", at)
		}
	}
	b := bytes.Clone(whole)
	b[30] ^= 1
	fails(t, map[string][]byte{"x.tfrecord": b}, 0, "shard x.tfrecord", "at 0", "checksum of a record")
}

// A length is believed only as far as the file goes, and nothing is allocated
// for it before.
func TestHugeLength(t *testing.T) {
	for _, length := range []uint64{1 << 20, 1 << 40, 1<<63 - 1, 1<<64 - 1} {
		head := binary.LittleEndian.AppendUint64(nil, length)
		head = binary.LittleEndian.AppendUint32(head, tfrecord.Masked(head))
		fails(t, map[string][]byte{"x.tfrecord": append(three(t), head...)}, 3, "shard x.tfrecord", "bytes")
	}
}

func TestNoExample(t *testing.T) {
	var b bytes.Buffer
	must(t, tfrecord.Frame(&b, []byte("no protocol buffer")))
	fails(t, map[string][]byte{"x.tfrecord": b.Bytes()}, 0, "no tf.train.Example")
}

func TestSplitThatIsNone(t *testing.T) {
	var b bytes.Buffer
	must(t, tfrecord.Frame(&b, example(t, map[string]any{"image": "x", "side": "holdout"})))
	_, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{Split: "side"}, map[string][]byte{"x.tfrecord": b.Bytes()}))
	if err == nil || !strings.Contains(err.Error(), `"holdout": want train`) {
		t.Error(err)
	}
}

// What one record lacks is reported by its name, and the others are used.
func TestQuarantined(t *testing.T) {
	var b bytes.Buffer
	for _, features := range []map[string]any{
		{"image": sourcetest.Picture(1), "label": "a"},
		{"image": sourcetest.Picture(2)},
		{"image": sourcetest.Picture(3), "label": int64(-1)},
		{"pixels": sourcetest.Picture(4), "label": "a"},
		{"image": []float32{1, 2}, "label": "a"},
		{"image": "", "label": "a"},
	} {
		must(t, tfrecord.Frame(&b, example(t, features)))
	}
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), open(t, tfrecord.Config{}, map[string][]byte{
		"x.tfrecord": b.Bytes(), "empty.tfrecord": {}, "notes.md": []byte("?"), "_SUCCESS": {},
	}), datasets.SnapshotOptions{})
	must(t, err)
	if len(snapshot.Entries) != 1 {
		t.Errorf("%d are used", len(snapshot.Entries))
	}
	got := make(map[string]string)
	for _, q := range report.Quarantined {
		got[q.Key] = string(q.Reason) + ": " + q.Detail
	}
	for key, want := range map[string]string{
		"x.tfrecord!000000001": "unlabelled", "x.tfrecord!000000002": "unlabelled",
		"x.tfrecord!000000003": "no feature image/encoded or image but label, pixels",
		"x.tfrecord!000000004": `"image" is not one encoded image but 2 numbers`,
		"x.tfrecord!000000005": "empty",
		"empty.tfrecord":       "the shard is empty",
		"notes.md":             "none of the tfrecord shards",
	} {
		if !strings.Contains(got[key], want) {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("more: %v", got)
	}
}
