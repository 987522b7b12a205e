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

func TestPredictRefuses(t *testing.T) {
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
	} {
		if _, err := runPredict(t, home.Path, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.args, err, test.want)
		}
	}
}
