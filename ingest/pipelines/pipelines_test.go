package pipelines_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/ingest/definition"
	"tkit/ingest/pipelines"
)

// Every file is a pipeline without mistakes, as it stands and as it is written for a
// model and folders.
func TestPipelines(t *testing.T) {
	t.Setenv("DATABASE", "postgres://tkit:secret@localhost/tkit")
	found, err := filepath.Glob("*.yaml")
	if err != nil || len(found) != len(pipelines.Names) {
		t.Errorf("files %q, %v, and names %q", found, err, pipelines.Names)
	}
	folders := map[string][2]string{
		"folder": {`in "1" $1`, "out"}, "hdfs": {"in", "hdfs://cluster/out"}, "full": {"in", "hdfs://cluster/out"}, "batch": {"hdfs://cluster/in", ""}, "kafka": {},
	}
	for _, name := range pipelines.Names {
		if r, err := definition.Lint(t.Context(), name+".yaml"); err != nil || r.Err() != nil {
			t.Errorf("%v, %v", err, r.Err())
		}
		o := pipelines.Options{Pipeline: name, Model: "digits@champion", From: folders[name][0], To: folders[name][1]}
		file := filepath.Join(t.TempDir(), "My Pipeline.yaml")
		if err := pipelines.Write(file, o); err != nil {
			t.Error(err)
			continue
		}
		d, err := definition.Read(t.Context(), file)
		if err != nil {
			t.Error(err)
			continue
		}
		if d.Name != "my-pipeline" || len(d.Models) != 1 || d.Models[0].String() != "digits@champion" || d.Shared != (name == "kafka") {
			t.Errorf("%s: %+v", name, d)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{o.From, o.To} {
			if !strings.Contains(string(text), strings.ReplaceAll(folder, `"`, `\"`)) {
				t.Errorf("%s has no %s:\n%s", name, folder, text)
			}
		}
		if err := pipelines.Write(file, o); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a file that exists: %v", err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for want, o := range map[string]pipelines.Options{
		"only folder, hdfs":              {Pipeline: "hfds", Model: "digits"},
		"numbered":                       {Model: "digits@02"},
		"kafka does not have such":       {Pipeline: "kafka", Model: "digits", From: "in"},
		"batch does not have such":       {Pipeline: "batch", Model: "digits", To: "out"},
		"name of the file gives the pip": {Model: "digits"},
	} {
		file := "a.yaml"
		if strings.HasPrefix(want, "name of") {
			file = "-.yaml"
		}
		path := filepath.Join(t.TempDir(), file)
		if err := pipelines.Write(path, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%+v: a file was written", o)
		}
	}
}
