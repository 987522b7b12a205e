package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference/inferencetest"
	"tkit/inference/predict"
	"tkit/internal/commandline"
)

// runPredict runs `tkit predict` in this process.
func runPredict(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	a := app()
	a.Writer = &out
	err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", home, "predict"}, args...))
	return out.String(), err
}

func TestPredict(t *testing.T) {
	t.Parallel()
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var good []string
	for i := range predict.BatchSize + 1 { // more than one batch
		good = append(good, file(string(rune('a'+i))+".png", inferencetest.PNG(t, uint64(i))))
	}
	text, bad := file("text.png", []byte("no image")), filepath.Join(dir, "missing.png")

	out, err := runPredict(t, home.Path, append(good, "--model", "digits")...)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != len(good) ||
		!strings.HasPrefix(lines[0], good[0]) || strings.Count(lines[0], "class ") != 3 {
		t.Errorf("got\n%s", out)
	}

	out, err = runPredict(t, home.Path, "--model", "digits@1", "--json", "--top", "2", good[0], text, bad, good[1])
	if err == nil || !strings.Contains(err.Error(), "2 of 4 images") {
		t.Errorf("two bad images: %v", err)
	}
	d := json.NewDecoder(strings.NewReader(out))
	for _, want := range []struct {
		image, err string
		labels     int
	}{{good[0], "", 2}, {text, "unsupported format", 0}, {bad, "no such file", 0}, {good[1], "", 2}} {
		var v predict.Result
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		if v.Image != want.image || v.Version != 1 || len(v.Labels) != want.labels || !strings.Contains(v.Error, want.err) || (v.Error == "") != (want.err == "") {
			t.Errorf("got %+v, want %+v", v, want)
		}
	}
}

// A folder that cannot be read is reported, and the other images are classified. Links
// to folders are skipped with a note.
func TestPredictFolders(t *testing.T) {
	t.Parallel()
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.png"), inferencetest.PNG(t, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "circle")); err != nil {
		t.Fatal(err)
	}
	out, said, err := tkit(t, home.Path, "predict", "--model", "digits", dir)
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(said, "note: skipped "+filepath.Join(dir, "circle")) {
		t.Errorf("a link to a folder: %v\n%s%s", err, out, said)
	}
	deepFolders(t, dir)
	out, _, err = tkit(t, home.Path, "predict", "--model", "digits", dir)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 images") || !strings.Contains(out, "class ") || !strings.Contains(out, "too long") {
		t.Errorf("a folder that cannot be read: %v\n%.200s", err, out)
	}
}

// deepFolders creates folders within each other whose paths become too long to be read,
// also for the superuser.
func deepFolders(t *testing.T, dir string) {
	t.Helper()
	at, err := os.OpenRoot(dir)
	for range 20 {
		if err != nil {
			t.Fatal(err)
		}
		defer at.Close()
		name := strings.Repeat("d", 250)
		if err := at.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		at, err = at.OpenRoot(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	at.Close()
}

func TestPredictRefuses(t *testing.T) {
	t.Parallel()
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--model", "digits"}, "IMAGE"},
		{[]string{"x.png"}, "model"},
		{[]string{"--model", "flowers", "x.png"}, "flowers"},
		{[]string{"--model", "digits@2", "x.png"}, "digits@2"},
		{[]string{"--model", "digits", "--top", "0", "x.png"}, "--top"},
		{[]string{"--model", "digits", "--gpus", "some", "x.png"}, "--gpus"},
	} {
		if _, err := runPredict(t, home.Path, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.args, err, test.want)
		}
	}
}
