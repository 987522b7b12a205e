package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/inference/inferencetest"
	"tkit/ingest/status"
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

// The file that `tkit ingest new` writes runs as it is, also with a server, and gives
// the same predictions.
func TestFirstPipeline(t *testing.T) {
	t.Parallel()
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	dir := t.TempDir()
	file := filepath.Join(dir, "First Pipeline.yaml")
	mustRun(t, home.Path, "ingest", "new", "--model", "digits", file)
	if _, _, err := tkit(t, home.Path, "ingest", "new", "--model", "digits", file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that exists: %v", err)
	}
	mustRun(t, home.Path, "ingest", "lint", file)
	if out := mustRun(t, home.Path, "ingest", "graph", file); !strings.HasPrefix(out, "tkit_directory: incoming\n└─ tkit_classify: digits\n") || !strings.Contains(out, "tkit_folder: classified\n") {
		t.Errorf("graph wrote %q", out)
	}
	if out := mustRun(t, home.Path, "ingest", "status"); !strings.Contains(out, "no pipeline has run") {
		t.Errorf("status wrote %q", out)
	}
	in := filepath.Join(dir, "incoming")
	if err := errors.Join(os.Mkdir(in, 0o700), os.WriteFile(filepath.Join(in, "a.png"), inferencetest.PNG(t, 1), 0o600)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, home.Path, "ingest", "run", "--once", file)
	here := records(t, filepath.Join(dir, "classified"))
	text := strings.NewReplacer("first-pipeline", "second", "path: classified", "path: again", "# server: https://HOST:PORT", "server: "+startServer(t, home.Path)).
		Replace(string(read(t, file)))
	second := filepath.Join(dir, "second.yaml")
	if err := os.WriteFile(second, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, home.Path, "ingest", "run", "--once", second)
	if there := records(t, filepath.Join(dir, "again")); len(here) != 1 || !slices.Equal(here, there) {
		t.Errorf("this process writes\n%s\nand with a server\n%s", here, there)
	}
	out := mustRun(t, home.Path, "ingest", "status", "--json")
	var all []status.Status
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 2 || all[0].Pipeline != "first-pipeline" || all[0].Delivered != 1 || all[0].State() != "ended" {
		t.Errorf("status wrote %s", out)
	}
	if _, _, err := tkit(t, home.Path, "ingest", "status", "third"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the status of a pipeline that has never run: %v", err)
	}
}

// records are the contents of the JSON files below a folder.
func records(t *testing.T, folder string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, string(read(t, f)))
	}
	return all
}
