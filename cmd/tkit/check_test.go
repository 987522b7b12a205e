package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/datasets"
)

// pictured returns a folder of two classes, each with n different pictures.
func pictured(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 2 * n {
		label := filepath.Join(dir, []string{"barn", "silo"}[i%2])
		if err := os.MkdirAll(label, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(label, fmt.Sprintf("%02d.png", i)), encodePNG(t, ripples(i, 96)))
	}
	return dir
}

// ripples returns a different picture for every i.
func ripples(i, side int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			a, b := float64(x)/float64(side), float64(y)/float64(side)
			v := 128.0
			for k := range 6 {
				f := float64((i*7+k*k*3)%11) + 0.5
				g := float64((i*i+k*5)%13) - 6
				v += 20 * math.Sin(f*a*3+g*b*2+float64(i*k))
			}
			m.SetRGBA(x, y, color.RGBA{uint8(max(0, min(255, v))), uint8(i * 9), 90, 255})
		}
	}
	return m
}

func encodePNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checked returns the report of `tkit datasets check --json`.
func checked(t *testing.T, args ...string) *datasets.Report {
	t.Helper()
	out := mustRun(t, t.TempDir(), append([]string{"datasets", "check", "--json"}, args...)...)
	r := new(datasets.Report)
	if err := json.Unmarshal([]byte(out), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckFindsLookAlikes(t *testing.T) {
	t.Parallel()
	data := pictured(t, 15)
	for i := 0; i < 20; i += 2 {
		write(t, filepath.Join(data, "barn", fmt.Sprintf("%02d again.jpg", i)), encodeJPEG(t, ripples(i, 64)))
	}
	write(t, filepath.Join(data, "silo", "from barn.jpg"), encodeJPEG(t, ripples(2, 80)))
	broken := encodePNG(t, ripples(1, 64))
	copy(broken[len(broken)/2:], strings.Repeat("\xff", 30))
	write(t, filepath.Join(data, "silo", "broken.png"), broken)

	r := checked(t, data)
	if len(r.Near.Groups) != 10 || r.Near.Images() != 21 {
		t.Errorf("%d groups of %d images", len(r.Near.Groups), r.Near.Images())
	}
	if len(r.Near.Leaks()) == 0 || r.Sides.Train+r.Sides.Validation+r.Sides.Test != r.Examples {
		t.Errorf("%d leaks, %+v", len(r.Near.Leaks()), r.Sides)
	}
	if len(r.Quarantined) != 1 || r.Quarantined[0].Key != "silo/broken.png" {
		t.Errorf("quarantined: %v", r.Quarantined)
	}
	r = checked(t, "--look-alikes", "together", data)
	if len(r.Near.Groups) != 10 || len(r.Near.Leaks()) > 0 || !r.Sides.Together {
		t.Errorf("together: %d leaks, %+v", len(r.Near.Leaks()), r.Sides)
	}
	if r = checked(t, "--look-alikes", "ignore", data); r.Near != nil || len(r.Quarantined) > 0 {
		t.Errorf("ignored: %+v", r.Near)
	}
	if r = checked(t, "--per-class", "5", data); r.Sides.Train != 10 {
		t.Errorf("5 a class: %+v", r.Sides)
	}
	if r = checked(t, "--per-class", "500", data); r.Sides.Problem == "" {
		t.Errorf("500 a class: %+v", r.Sides)
	}
	for _, args := range [][]string{{"--look-alikes", "never"}, {"--look-alikes", "together", "--per-class", "5"}} {
		if _, _, err := tkit(t, t.TempDir(), append(append([]string{"datasets", "check"}, args...), data)...); err == nil || !strings.Contains(err.Error(), "--look-alikes") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// A class without a usable image is an error, which follows the report.
func TestCheckFailsForALostClass(t *testing.T) {
	t.Parallel()
	data := pictured(t, 3)
	if err := os.Mkdir(filepath.Join(data, "shed"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "shed", "broken.png"), encodePNG(t, ripples(1, 8))[:40])
	for _, args := range [][]string{{data}, {"--json", data}} {
		out, _, err := tkit(t, t.TempDir(), append([]string{"datasets", "check"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), `no image can be used of 1 of the classes: "shed"`) || !strings.Contains(out, "truncated") {
			t.Errorf("%v: %v after %s", args, err, out)
		}
	}
}

// A run warns and keeps its report. If it keeps the groups together, it does not
// warn.
func TestTrainWarnsOfLeaks(t *testing.T) {
	t.Parallel()
	data, home := pictured(t, 12), t.TempDir()
	for i := range 24 {
		write(t, filepath.Join(data, []string{"barn", "silo"}[i%2], fmt.Sprintf("%02d again.jpg", i)), encodeJPEG(t, ripples(i, 64)))
	}
	args := []string{"train", "--architecture", "lenet5", "--epochs", "1", "--data", data, "--name", "m"}
	_, warned, err := tkit(t, home, args...)
	if err != nil || !strings.Contains(warned, "on more than one side of the split") {
		t.Errorf("%v: %s", err, warned)
	}
	_, warned, err = tkit(t, home, append(args, "--look-alikes", "together")...)
	if err != nil || strings.Contains(warned, "warning") || !strings.Contains(warned, "each stays on one side of a split") {
		t.Errorf("%v: %s", err, warned)
	}
}

func TestCheckWritesAPage(t *testing.T) {
	t.Parallel()
	data, home := pictured(t, 12), t.TempDir()
	write(t, filepath.Join(data, "barn", `"><script>alert(1)<.png`), encodePNG(t, ripples(2, 64)))
	file := filepath.Join(t.TempDir(), "report.html")
	_, told, err := tkit(t, home, "datasets", "check", "--html", file, data)
	if err != nil || !strings.Contains(told, "wrote "+file) {
		t.Fatalf("%v: %s", err, told)
	}
	s, err := os.Stat(file)
	if err != nil || s.Mode() != 0o600 {
		t.Errorf("%v %v", s.Mode(), err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "<img src=\"data:image/jpeg;base64,"); n < 20 || strings.Contains(string(b), "<script") {
		t.Errorf("%d thumbnails", n)
	}
	// A dataset without a usable image has a page, too.
	empty := t.TempDir()
	write(t, filepath.Join(empty, "notes.txt"), []byte("no image"))
	if _, _, err := tkit(t, home, "datasets", "check", "--html", file, empty); !errors.Is(err, datasets.ErrNoExamples) {
		t.Error(err)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "No image can be used") || strings.Contains(string(b), "<img") {
		t.Error(err)
	}
	if _, _, err := tkit(t, home, "datasets", "check", "--html", filepath.Join(empty, "none", "x.html"), data); err == nil || !strings.Contains(err.Error(), "--html") {
		t.Error(err)
	}
}

// A caller who may not read a dataset gets no picture of it, by any of its names or
// from a copy.
func TestPageNeedsTheRightToRead(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	file := filepath.Join(t.TempDir(), "report.html")
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.CopyFS(copied, os.DirFS(g.data)); err != nil {
		t.Fatal(err)
	}
	take := g.olga(t, "list,train")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans")...) // makes the content known
	for _, data := range []string{"scans", g.data, filepath.Dir(g.data), copied} {
		g.refused(t, "datasets", "check", "--html", file, data)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("there is a page:", err)
	}
	take()
	g.olga(t, "read")
	mustRun(t, g.home, "datasets", "check", "--html", file, "scans")
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "<img") {
		t.Error(err)
	}
}

func TestVersionPage(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.olga(t, "train,use")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans")...)
	file := filepath.Join(t.TempDir(), "version.html")
	mustRun(t, g.home, "registry", "show", "--html", file, "m@1")
	s, err := os.Stat(file)
	if err != nil || s.Mode() != 0o600 {
		t.Fatalf("%v %v", s.Mode(), err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"m@1", "restricted by dataset:scans, owned by user:olga", "Confusion", "Calibration"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}
