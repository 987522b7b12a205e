package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/inference/inferencetest"
)

func TestIngest(t *testing.T) {
	t.Parallel()
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const text = `name: digits
input:
  tkit_directory: {path: ., settle: 10ms, after: archive, archive: done}
pipeline:
  processors:
    - tkit_classify: {models: [digits]}
output:
  tkit_folder: {path: out}
`
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("in/good.png", string(inferencetest.PNG(t, 1)))
	write("in/bad.png", "no image")
	wrong := write("wrong.yaml", strings.Replace(text, "settle", "setle", 1))
	out, _, err := tkit(t, home.Path, "ingest", "lint", wrong)
	if want := wrong + `:3: there is no field "setle" here; did you mean "settle"?` + "\n"; err == nil || out != want {
		t.Errorf("lint wrote %q, %v; want %q", out, err, want)
	}
	pipeline := write("pipeline.yaml", strings.Replace(text, "path: .", "path: in", 1))
	if out := mustRun(t, home.Path, "ingest", "lint", pipeline); !strings.Contains(out, "no mistakes") {
		t.Errorf("lint wrote %q", out)
	}
	if out := mustRun(t, home.Path, "ingest", "run", "--once", pipeline); !strings.HasPrefix(out, "images delivered: 1; dead letters: 1, in ") {
		t.Errorf("run wrote %q", out)
	}
	if out := mustRun(t, home.Path, "ingest", "replay", "--json", pipeline); !strings.Contains(out, `"delivered": 0`) || !strings.Contains(out, `"dead_letters": 1`) {
		t.Errorf("replay wrote %q", out)
	}
}
