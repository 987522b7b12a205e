package store_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tkit/internal/needs"
	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/python/pythontest"
	"tkit/plugins/store"
)

// offline returns the options that install plugins in Python without a network.
func offline(t *testing.T) store.Options {
	t.Helper()
	return store.Options{Python: needs.Python(t), Wheels: pythontest.Wheels(t)}
}

const project = "../python/testdata/faulty"

// TestPython installs the project of a plugin in Python, runs it, damages its
// environment, repairs and removes it.
func TestPython(t *testing.T) {
	s, o := store.In(t.TempDir()), offline(t)
	i, err := s.Install(t.Context(), project, o)
	if err != nil {
		t.Fatal(err)
	}
	if i.Description.String() != "faulty-python@1.0.0" || i.Python == nil || !slices.Contains(i.Python.Packages, "numpy==1.26.4") {
		t.Fatalf("installed %+v with %+v", i, i.Python)
	}
	if again, err := s.Install(t.Context(), project, o); err != nil || again.Digest != i.Digest || again.At != i.At {
		t.Errorf("installed again: %+v, %v", again, err)
	}
	echoes(t, s, i)

	trial, err := s.Try(t.Context(), project, o)
	if err != nil {
		t.Fatal(err)
	}
	if trial.Digest() != i.Digest {
		t.Errorf("tried as %s, installed as %s", trial.Digest(), i.Digest)
	}
	if err := trial.Close(); err != nil {
		t.Error(err)
	}

	found, err := filepath.Glob(filepath.Join(s.Folder(), "python-*", "packages", "numpy", "version.py"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if err := errors.Join(os.Remove(found[0]), os.WriteFile(found[0], []byte("version = '0'\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), i, host.Config{}); !errors.Is(err, host.ErrReplaced) {
		t.Errorf("error %v, want that its packages were replaced", err)
	}
	problems, err := s.Verify(t.Context())
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Detail, "packages") {
		t.Errorf("%v, %v", problems, err)
	}
	if i, err = s.Install(t.Context(), project, o); err != nil {
		t.Fatal(err)
	}
	echoes(t, s, i)
	changed, gone := *i.Python, *i.Python
	changed.Version, gone.Interpreter = "3.4.10", "/no/such/python"
	for words, p := range map[string]store.Python{"it was installed for Python 3.4.10": changed, "its Python " + gone.Version + " no longer exists": gone} {
		other := i
		other.Python = &p
		if _, err := s.Open(t.Context(), other, host.Config{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("error %v, want %q", err, words)
		}
	}
	if err := s.Remove(i); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.Folder()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// echoes checks that the plugin returns its input.
func echoes(t *testing.T, s store.Store, i store.Installed) {
	t.Helper()
	p, err := s.Open(t.Context(), i, host.Config{Processes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := plugins.NewBatch(plugins.Float32, 2, [3]int{2, 2, 3})
	if out, err := p.Process(t.Context(), nil, in); err != nil || !out.Equal(in) {
		t.Errorf("answered %v, %v", out.Float32, err)
	}
}

func TestPythonRefuses(t *testing.T) {
	s, o := store.In(t.TempDir()), offline(t)
	changed := func(file, from, to string) string {
		folder := filepath.Join(t.TempDir(), "project")
		if err := os.CopyFS(folder, os.DirFS(project)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, file), []byte(strings.Replace(string(text), from, to, 1)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return folder
	}
	zipapp := filepath.Join(t.TempDir(), "other.pyz")
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "__main__.py"), []byte("print()"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(o.Python, "-m", "zipapp", source, "-p", "/usr/bin/env python3", "-o", zipapp).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	without := store.Options{Python: o.Python, Wheels: t.TempDir()}
	for _, c := range []struct {
		path  string
		o     store.Options
		words string
	}{
		{changed("pyproject.toml", "preprocessor", "processor"), o, "[tool.tkit] has no preprocessor"},
		{changed("pyproject.toml", `"numpy"`, `"scipy"`), o, "requirements.txt has no scipy"},
		{changed("requirements.txt", "numpy==1.26.4", "numpy>=1.26"), o, "want NAME==VERSION"},
		{changed("requirements.txt", "--hash=sha256:6", "--hash=sha256:7"), o, "do not match"}, // pip's message
		{project, without, "choose a folder with the packages"},
		{project, store.Options{Python: "no-such-python"}, "choose another Python interpreter"},
		{zipapp, o, "without requirements.txt"},
	} {
		if _, err := s.Install(t.Context(), c.path, c.o); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.words)) {
			t.Errorf("%s: error %v, want %q", c.path, err, c.words)
		}
	}
	if left, _ := os.ReadDir(s.Folder()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Nothing in tkit's working directory or environment is run: neither a package
// named pip, nor what PYTHONPATH and pip's settings name.
func TestPipIsIsolated(t *testing.T) {
	work := t.TempDir()
	ran := filepath.Join(work, "ran")
	program := "open(" + strconv.Quote(ran) + ", 'w').write('x'); raise SystemExit(1)\n"
	for _, name := range []string{"pip/__init__.py", "pip/__main__.py", "json.py", "sitecustomize.py", "usercustomize.py"} {
		path := filepath.Join(work, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(program), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	o, from, err := offline(t), project, error(nil)
	if from, err = filepath.Abs(from); err == nil {
		o.Wheels, err = filepath.Abs(o.Wheels)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	for name, value := range map[string]string{
		"PYTHONPATH": work, "PYTHONSTARTUP": filepath.Join(work, "json.py"), "PYTHONUSERBASE": work,
		"PIP_CONFIG_FILE": filepath.Join(work, "pip.conf"), "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_TARGET": filepath.Join(work, "target"),
	} {
		t.Setenv(name, value)
	}
	s := store.In(t.TempDir())
	i, err := s.Install(t.Context(), from, o)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, s, i)
	for _, path := range []string{ran, filepath.Join(work, "target")} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there, %v", path, err)
		}
	}
}
