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
	"tkit/internal/needs"
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

// open opens shards with the given bytes, by name.
func open(t *testing.T, c tfrecord.Config, stored map[string][]byte) datasets.Source {
	t.Helper()
	tree, err := local.New(local.Config{Root: shardstest.Write(t, stored)})
	must(t, err)
	src := tfrecord.New(tree, c)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

// fails lists shards and expects an error with these words after the given
// number of records.
func fails(t *testing.T, stored map[string][]byte, records int, words ...string) error {
	t.Helper()
	keys, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{}, stored))
	if err == nil {
		t.Fatalf("%d records are listed without an error", len(keys))
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

// TestTensorFlow reads files written by TensorFlow, and reads Write's output
// with TensorFlow.
func TestTensorFlow(t *testing.T) {
	python := needs.Python(t)
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours")
	must(t, os.WriteFile(ours, three(t), 0o644))
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

	_, err = all.Open(t.Context(), filepath.Join(written, "zipped"))
	if err == nil || !strings.Contains(err.Error(), "compressed with gzip") || !strings.Contains(err.Error(), "unpack it first: gunzip") {
		t.Errorf("a compressed file: %v", err)
	}
}

// number returns the picture's number, or other content as text.
func number(b string) string {
	for n := range 10 {
		if b == string(sourcetest.Picture(n)) {
			return string(rune('0' + n))
		}
	}
	return "?"
}

// pictures replaces the hexadecimal picture at the end of each line by its
// number.
func pictures(lines string) string {
	for n := range 10 {
		lines = strings.ReplaceAll(lines, hexOf(sourcetest.Picture(n)), string(rune('0'+n)))
	}
	return lines
}

// Every cut is detected, except between two records; then the records before it
// are intact.
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

// Any flipped bit is detected by a checksum.
func TestDamaged(t *testing.T) {
	whole := three(t)
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if _, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{}, map[string][]byte{"x.tfrecord": b})); err == nil {
			t.Fatalf("a flipped bit at %d is accepted", at)
		}
	}
	b := bytes.Clone(whole)
	b[30] ^= 1
	fails(t, map[string][]byte{"x.tfrecord": b}, 0, "shard x.tfrecord", "at 0", "checksum of a record")
}

// A length is limited by the file's size, and nothing is allocated before.
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
	fails(t, map[string][]byte{"x.tfrecord": b.Bytes()}, 0, "not a tf.train.Example")
}

func TestSplitThatIsNone(t *testing.T) {
	var b bytes.Buffer
	must(t, tfrecord.Frame(&b, example(t, map[string]any{"image": "x", "side": "holdout"})))
	_, _, err := shardstest.List(t.Context(), open(t, tfrecord.Config{Split: "side"}, map[string][]byte{"x.tfrecord": b.Bytes()}))
	if err == nil || !strings.Contains(err.Error(), `"holdout": want train`) {
		t.Error(err)
	}
}

// A record's missing parts are reported by its name, and the other records are
// used.
func TestQuarantined(t *testing.T) {
	var b bytes.Buffer
	for _, features := range []map[string]any{
		{"image": sourcetest.Picture(1), "label": "a"},
		{"image": sourcetest.Picture(2)},
		{"image": sourcetest.Picture(3), "label": int64(-1)},
		{"pixels": sourcetest.Picture(4), "label": "a"},
		{"image": []float32{1, 2}, "label": "a"},
		{"image": "", "label": "a"},
		{"image": sourcetest.Picture(5), "label": []int64{2, 1, 3}},
		{"image": sourcetest.Picture(6), "label": []string{"cat", "dog"}},
		{"image": sourcetest.Picture(7), "label": []float32{.25, .75}},
		{"image": sourcetest.Picture(8), "label": []float32{1.5}},
		{"image": sourcetest.Picture(9), "label": []int64{1, 0, 1}},
		{"image": sourcetest.Picture(10), "label": []int64{0, 0, 0}},
		{"image": sourcetest.Picture(11), "label": "\xff\xfe"},
		{"image": sourcetest.Picture(12), "label": "\x08\x03\x12\x00"},
		{"image": sourcetest.Picture(13), "target": int64(3), "height": int64(9)},
		{"image": sourcetest.Picture(14), "label": []int64{0, 1}},
		{"jpeg": sourcetest.Picture(15), "label": "a"},
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
		"x.tfrecord!000000003": "no feature image/encoded or image, only label (1 text), pixels (1 text)",
		"x.tfrecord!000000004": `"image" is not one encoded image but 2 numbers`,
		"x.tfrecord!000000005": "empty",
		"x.tfrecord!000000006": `refused: its feature "label": it has 3 integers, which differ`,
		"x.tfrecord!000000007": `refused: its feature "label": it has 2 texts, which differ`,
		"x.tfrecord!000000008": `refused: its feature "label": it has 2 numbers, which differ`,
		"x.tfrecord!000000009": `the number 1.5 is not a class`,
		"x.tfrecord!000000010": `a list of 3 integers with 2 ones`,
		"x.tfrecord!000000011": `a list of 3 integers without a 1`,
		"x.tfrecord!000000012": `its 2 bytes are not valid UTF-8`,
		"x.tfrecord!000000013": `the control character U+0008`,
		"x.tfrecord!000000014": `only height (1 integer), image (1 text), target (1 integer): choose the label with the option label=target`,
		"x.tfrecord!000000015": `has 2 integers, but is one class in other records`,
		"x.tfrecord!000000016": `only jpeg (1 text), label (1 text): choose the encoded image with the option image=jpeg`,
		"empty.tfrecord":       "the shard is empty",
		"notes.md":             "not a tfrecord shard",
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

// TestLabels reads lists of values that name one class.
func TestLabels(t *testing.T) {
	for name, c := range map[string]struct {
		features []map[string]any
		want     []string
		note     string
	}{
		"one-hot integers":  {[]map[string]any{{"label": []int64{0, 0, 1}}, {"label": []int64{1, 0, 0}}}, []string{"2", "0"}, "one-hot list of 3 integers"},
		"one-hot floats":    {[]map[string]any{{"label": []float32{0, 1}}, {"label": []float32{1, 0}}}, []string{"1", "0"}, "one-hot list of 2 numbers"},
		"whole floats":      {[]map[string]any{{"label": []float32{3}}, {"label": []float32{0}}}, []string{"3", "0"}, "its integer part is the class"},
		"boxes of a class":  {[]map[string]any{{"label": []string{"cat", "cat"}}, {"label": []int64{3, 3, 3}}}, []string{"cat", "3"}, ""},
		"text and one-hot":  {[]map[string]any{{"image/class/text": "cat", "label": []int64{0, 1}}}, []string{"cat"}, ""},
		"an empty text":     {[]map[string]any{{"image/class/text": "", "label": int64(4)}}, []string{"4"}, ""},
		"a negative number": {[]map[string]any{{"label": int64(-1), "class": "dog"}}, []string{"dog"}, ""},
	} {
		var b bytes.Buffer
		for i, features := range c.features {
			features["image"] = sourcetest.Picture(i)
			must(t, tfrecord.Frame(&b, example(t, features)))
		}
		src := open(t, tfrecord.Config{}, map[string][]byte{"x.tfrecord": b.Bytes()})
		snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
		must(t, err)
		var got []string
		for _, e := range snapshot.Entries {
			got = append(got, e.Label)
		}
		if !slices.Equal(got, c.want) || (c.note == "") != (len(report.Notes) == 0) || !strings.Contains(strings.Join(report.Notes, "\n"), c.note) {
			t.Errorf("%s: %q, want %q; notes %q, want %q; %v", name, got, c.want, report.Notes, c.note, report.Quarantined)
		}
	}
}

// Lists of zeros and ones of different lengths are lists of classes: an error
// must end the listing, because earlier ones were read as one-hot lists.
func TestListsThatDoNotAgree(t *testing.T) {
	var b bytes.Buffer
	for _, label := range [][]int64{{0, 1}, {1, 0}, {5}} {
		must(t, tfrecord.Frame(&b, example(t, map[string]any{"image": sourcetest.Picture(1), "label": label})))
	}
	fails(t, map[string][]byte{"x.tfrecord": b.Bytes()}, 2, `its feature "label" is a list of 2 zeros and ones in other records, but has 1 integer here`)
}

// An option that gives a missing feature is reported.
func TestFeatureThatIsNotThere(t *testing.T) {
	var b bytes.Buffer
	must(t, tfrecord.Frame(&b, example(t, map[string]any{"image": sourcetest.Picture(1), "label": "a", "patient": []int64{1, 2}})))
	stored := map[string][]byte{"x.tfrecord": b.Bytes()}
	_, report, err := datasets.TakeSnapshot(t.Context(), open(t, tfrecord.Config{Group: "patiemt"}, stored), datasets.SnapshotOptions{})
	must(t, err)
	if want := []string{`there are records without the feature "patiemt", given by the option group`}; !slices.Equal(report.Notes, want) {
		t.Errorf("%q", report.Notes)
	}
	_, _, err = datasets.TakeSnapshot(t.Context(), open(t, tfrecord.Config{Group: "patient"}, stored), datasets.SnapshotOptions{})
	if err == nil || !strings.Contains(err.Error(), `its feature "patient": it has 2 integers`) {
		t.Errorf("two patients: %v", err)
	}
	_, _, err = datasets.TakeSnapshot(t.Context(), open(t, tfrecord.Config{Label: "species"}, stored), datasets.SnapshotOptions{})
	if err == nil || !strings.Contains(err.Error(), `no label in a feature species, only image (1 text), label (1 text), patient (2 integers): choose the label with the option label=label`) {
		t.Errorf("no species: %v", err)
	}
}
