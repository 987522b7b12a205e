package datasets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/similarity"
	"tkit/datasets/sourcetest"
)

// Special values of a file's second to last byte, as seen by look. Other
// pictures look alike if their values are equal.
const (
	plain  = 'p'
	broken = 'b'
	fatal  = 'f'
)

var errFatal = errors.New("the decoder is gone")

func looked(_ context.Context, encoded []byte) (p similarity.Print, ok bool, err error) {
	switch kind := encoded[len(encoded)-2]; kind {
	case plain:
		return p, false, nil
	case broken:
		return p, false, fmt.Errorf("%w: bad Huffman code", datasets.ErrUndecodable)
	case fatal:
		return p, false, errFatal
	default:
		p.Hash, p.Shape[kind%64] = uint64(kind)*0x9e3779b97f4a7c15, 127
		return p, true, nil
	}
}

// seen returns a file with a value for look and a variant of its bytes.
func seen(key string, shows, variant byte) memoryFile {
	return memoryFile{key: key, bytes: append(bytes.Clone(sourcetest.Picture(0)), shows, variant)}
}

func look(t *testing.T, o datasets.SnapshotOptions, files ...memoryFile) (*datasets.Snapshot, *datasets.Report) {
	t.Helper()
	src := of(files...)
	src.sort()
	o.Look = looked
	s, r, err := datasets.TakeSnapshot(t.Context(), src, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestNearDuplicates(t *testing.T) {
	s, r := look(t, datasets.SnapshotOptions{},
		seen("a/1.png", 'X', 1), seen("a/2.png", 'X', 2), seen("a/3.png", 'X', 1), // 3 is a copy of 1
		seen("a/4.png", 'Y', 1), seen("b/5.png", 'Y', 2), // under two labels
		seen("a/6.png", 'Z', 1), seen("a/7.png", 'Z', 1), // copies, and nothing else like them
		seen("a/8.png", 'W', 1), seen("b/8.png", 'W', 1), seen("b/9.png", 'W', 2), // a conflict, out of use
		seen("b/blank.png", plain, 0), seen("b/broken.png", broken, 0))
	n := r.Near
	want := []datasets.NearGroup{
		{Images: []datasets.NearImage{{Key: "a/1.png", Label: "a", Copies: 1}, {Key: "a/2.png", Label: "a"}}},
		{Images: []datasets.NearImage{{Key: "a/4.png", Label: "a"}, {Key: "b/5.png", Label: "b"}}},
	}
	if !reflect.DeepEqual(n.Groups, want) {
		t.Errorf("groups %+v", n.Groups)
	}
	if n.Compared != 10 || n.Left != 0 || n.Incomplete || !slices.Equal(n.Plain, []string{"b/blank.png"}) || n.Images() != 5 {
		t.Errorf("%+v", n)
	}
	if n.Groups[0].Contradicts() || !n.Groups[1].Contradicts() {
		t.Error("which labels differ is wrong")
	}
	at := slices.IndexFunc(r.Quarantined, func(q datasets.Quarantined) bool { return q.Key == "b/broken.png" })
	if at < 0 || r.Quarantined[at].Reason != datasets.Undecodable || r.Quarantined[at].Detail != "bad Huffman code" {
		t.Errorf("quarantined %v", r.Quarantined)
	}
	if slices.ContainsFunc(s.Entries, func(e datasets.Entry) bool { return e.Key == "b/broken.png" }) {
		t.Error("an undecodable image is in the snapshot")
	}
	// An image that training finds undecodable leaves its group.
	after := r.Without(s, map[string]string{"a/2.png": "", "b/blank.png": ""})
	if len(after.Near.Groups) != 1 || len(after.Near.Plain) != 0 || len(r.Near.Groups) != 2 || len(r.Near.Plain) != 1 {
		t.Errorf("after: %+v; before: %+v", after.Near, r.Near)
	}
}

func TestNearDuplicatesAreBounded(t *testing.T) {
	_, r := look(t, datasets.SnapshotOptions{MaxPrints: 2},
		seen("a/1.png", 'X', 1), seen("a/2.png", 'X', 2), seen("a/3.png", 'X', 3), seen("b/4.png", 'X', 4))
	if n := r.Near; n.Compared != 2 || n.Left != 2 || len(n.Groups) != 1 || len(n.Groups[0].Images) != 2 {
		t.Errorf("%+v", n)
	}
	if w := r.Warnings(); len(w) != 1 || !strings.Contains(w[0], "of the other 2 are not found") {
		t.Errorf("%q", w)
	}
}

func TestLookEnds(t *testing.T) {
	files := of(seen("a/1.png", 'X', 1), seen("a/2.png", fatal, 1))
	if _, _, err := datasets.TakeSnapshot(t.Context(), files, datasets.SnapshotOptions{Look: looked}); !errors.Is(err, errFatal) || !strings.Contains(err.Error(), "a/2.png") {
		t.Error(err)
	}
	if _, r := take(t, files); r.Near != nil {
		t.Error("near duplicates were not searched for")
	}
	if _, r := look(t, datasets.SnapshotOptions{AnyFile: true}, seen("a/1.png", fatal, 1)); r.Near != nil {
		t.Error("files of any format were looked at")
	}
}

// many returns n pairs of images that look alike, in two classes.
func many(n int) (files []memoryFile) {
	for i := range n {
		for variant := range byte(2) {
			label := []string{"a", "b"}[i%2]
			files = append(files, seen(fmt.Sprintf("%s/%03d-%d.png", label, i, variant), byte(128+i), variant))
		}
	}
	return files
}

// Pairs divided by a split are leaks, and Together leaves none.
func TestDivide(t *testing.T) {
	s, r := look(t, datasets.SnapshotOptions{}, many(60)...)
	f := datasets.Fractions{Validation: .2, Test: .2}
	split, err := r.Divide(s, f)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := s.Split(f); err != nil || !reflect.DeepEqual(split, want) {
		t.Error("images that look alike move without being told to")
	}
	leaks := r.Near.Leaks()
	if len(leaks) == 0 || r.Sides.Train != len(split.Train) || r.Sides.Test != len(split.Test) || r.Sides.Together {
		t.Fatalf("%d leaks, %+v", len(leaks), r.Sides)
	}
	for _, g := range leaks {
		if g.Images[0].Side == g.Images[1].Side || g.Images[0].Side == "" {
			t.Errorf("%v is no leak", g)
		}
	}
	if w := r.Warnings(); len(w) != 1 || !strings.Contains(w[0], fmt.Sprint(len(leaks))) || !strings.Contains(w[0], "keep look-alikes together") {
		t.Errorf("%q", w)
	}
	train := 0
	for _, c := range r.Classes {
		train += c.Train
	}
	if train != len(split.Train) {
		t.Errorf("the classes have %d for training, the split %d", train, len(split.Train))
	}

	f.Together = true
	if split, err = r.Divide(s, f); err != nil || len(r.Near.Leaks()) > 0 || !r.Sides.Together || len(split.Test) == 0 || len(r.Warnings()) > 0 {
		t.Errorf("%v: %d leaks, %+v, %q", err, len(r.Near.Leaks()), r.Sides, r.Warnings())
	}
	if _, err := s.Split(f); err == nil {
		t.Error("a snapshot alone keeps near duplicates together")
	}
}

func TestDivideThatCannotBe(t *testing.T) {
	var one []memoryFile
	for i := range byte(30) {
		one = append(one, seen(fmt.Sprintf("%c/%d.png", 'a'+i%2, i), 'X', i))
	}
	s, r := look(t, datasets.SnapshotOptions{}, one...)
	if _, err := r.Divide(s, datasets.Fractions{Test: .2, Together: true}); err == nil || !strings.Contains(err.Error(), "30 of 30 images, from ") {
		t.Error(err)
	}
	if r.Sides.Problem == "" || r.Sides.Together || r.Sides.Train != 0 || len(r.Warnings()) != 2 { // and the warning about labels that differ
		t.Errorf("%+v %q", r.Sides, r.Warnings())
	}
	s, r = take(t, of(one...))
	if _, err := r.Divide(s, datasets.Fractions{Test: .2, Together: true}); err == nil {
		t.Error("near duplicates were not searched for")
	}
}

func TestTableOfNearDuplicates(t *testing.T) {
	files := append(many(60), seen("b/blank.png", plain, 0), seen("a/900.png", 128, 7), seen("b/901.png", 128, 8))
	s, r := look(t, datasets.SnapshotOptions{}, files...)
	if _, err := r.Divide(s, datasets.Fractions{Validation: .2, Test: .2}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"60 groups of near duplicates (122 images that look alike)", "  labels differ: ", "  leak: ", "[train]", "… and 50 more",
		"1 image too small or too plain to be compared", "pixels    ", "123 png", "split     ", "warning: ", "in more than one class",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
