package digits_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/datasets/digits"
	"tkit/internal/needs"
)

func load(t *testing.T) []digits.Digit {
	t.Helper()
	all, err := digits.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSameAsScikitLearn(t *testing.T) {
	script := `
import hashlib, numpy, sklearn.datasets
d = sklearn.datasets.load_digits()
print(hashlib.sha256(d.target.astype(numpy.uint8).tobytes() + d.images.astype(numpy.uint8).tobytes()).hexdigest(), end="")`
	command := exec.Command(needs.Python(t), "-c", script)
	command.Stderr = os.Stderr
	want, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	all := load(t)
	for _, d := range all {
		h.Write([]byte{byte(d.Label)})
	}
	for _, d := range all {
		h.Write(d.Pixels[:])
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != string(want) {
		t.Errorf("the embedded digits have the SHA-256 %s, scikit-learn's %s", got, want)
	}
}

func TestPNG(t *testing.T) {
	all := load(t)
	h := sha256.New()
	for i, d := range all {
		b, err := d.PNG()
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for at, level := range d.Pixels {
			grey, _, _, _ := img.At(at%digits.Side, at/digits.Side).RGBA()
			if got := (int(grey>>8)*digits.White + 127) / 255; got != int(level) {
				t.Fatalf("digit %d, pixel %d: level %d became %d", i, at, level, got)
			}
		}
	}
	// Splits depend on the bytes of the files: a change here changes every
	// demo's training set.
	const want = "8101bf710fe870f39eb32a2b9eeaf070ca78b8526116730c684cfa0a5ac0a3fc"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the PNG files have the SHA-256 %s, want %s", got, want)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "digits")
	for range 2 { // the second time over the first
		if err := digits.Write(t.Context(), dir, []int{3, 7}, "folder"); err != nil {
			t.Fatal(err)
		}
	}
	src, err := all.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []datasets.ClassCount{{Label: "3", Examples: 183}, {Label: "7", Examples: 179}}
	if len(report.Classes) != 2 || report.Classes[0] != want[0] || report.Classes[1] != want[1] || len(report.Quarantined) > 0 {
		t.Errorf("got %+v, quarantined %v", report.Classes, report.Quarantined)
	}
	if first := snapshot.Entries[0].Key; first != "3/0003.png" {
		t.Errorf("the first is %s", first)
	}
	b, err := os.ReadFile(filepath.Join(dir, "7", "0007.png"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := load(t)[7].PNG(); err != nil || !bytes.Equal(b, d) {
		t.Errorf("7/0007.png is not image 7 (%v)", err)
	}
}

// Every format has the same images and labels.
func TestWriteFormats(t *testing.T) {
	bytesOf := func(format string) (sums []string) {
		dir := filepath.Join(t.TempDir(), format)
		if err := digits.Write(t.Context(), dir, []int{3, 7}, format); err != nil {
			t.Fatal(err)
		}
		src, err := all.Open(t.Context(), digits.Path(dir, format))
		if err != nil {
			t.Fatal(err)
		}
		if format != "folder" && !strings.Contains(src.URI(), "format="+format) {
			t.Errorf("%s is found as %s", format, src.URI())
		}
		snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
		if err != nil || len(report.Quarantined) > 0 {
			t.Fatalf("%s: %v, %v", format, report, err)
		}
		for _, e := range snapshot.Entries {
			sums = append(sums, fmt.Sprintf("%s %x", e.Label, e.SHA256))
		}
		slices.Sort(sums)
		return sums
	}
	want := bytesOf("folder")
	if len(want) != 183+179 {
		t.Errorf("%d images", len(want))
	}
	for _, format := range digits.Formats() {
		if got := bytesOf(format); !slices.Equal(got, want) {
			t.Errorf("%s has %d images of %d, or others", format, len(got), len(want))
		}
	}
	if err := digits.Write(t.Context(), t.TempDir(), []int{3}, "zip"); err == nil || !strings.Contains(err.Error(), "tfrecord") {
		t.Errorf("a format that is unknown: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	for _, wrong := range [][]int{{}, {10}, {1, -1}} {
		if err := digits.Write(t.Context(), dir, wrong, "folder"); err == nil {
			t.Errorf("%v: no error", wrong)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := digits.Write(ctx, dir, []int{1}, "folder"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := digits.Write(t.Context(), file, []int{1}, "folder"); !errors.As(err, new(*fs.PathError)) {
		t.Errorf("a file in place of the folder: %v", err)
	}
}
