package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tkit/internal/preprocessing"
	"tkit/internal/testprogram"
	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/store"
)

// built holds executables of plugins/host/testdata/faulty, by version.
var built string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "store"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	for _, version := range []string{"1.0.0", "1.10.0"} {
		if err := testprogram.Faulty(context.Background(), filepath.Join(built, version), version); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func install(t *testing.T, s store.Store, version string) store.Installed {
	t.Helper()
	i, err := s.Install(t.Context(), filepath.Join(built, version), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// same checks that a plugin gives the results of the faulty one without a
// fault.
func same(t *testing.T, p *host.Plugin) {
	t.Helper()
	in := plugins.NewBatch(plugins.Float32, 2, [3]int{2, 2, 3})
	out, err := p.Process(t.Context(), nil, in)
	if err != nil || out.Float32[0] != 1 {
		t.Errorf("answered %v, %v", out.Float32, err)
	}
}

func TestInstall(t *testing.T) {
	s := store.In(t.TempDir())
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Fatalf("an empty home has %v, %v", all, err)
	}
	for _, killed := range []string{".installing-1", ".removing-2"} {
		if err := os.MkdirAll(filepath.Join(s.Folder(), killed, "plugin"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Tidy(), store.In(filepath.Join(s.Folder(), "none")).Tidy()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(s.Folder()); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	newer, older := install(t, s, "1.10.0"), install(t, s, "1.0.0")
	if again := install(t, s, "1.0.0"); again.At != older.At || again.Digest != older.Digest {
		t.Errorf("installed again: %+v, before %+v", again, older)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Version != "1.0.0" || all[1].Version != "1.10.0" {
		t.Fatalf("installed are %+v, %v", all, err)
	}
	if all[0].Takes.Kind != plugins.Float32 || len(all[0].ConfigSchema) == 0 || !all[0].Deterministic || all[0].Python != nil {
		t.Errorf("it is remembered as %+v", all[0])
	}
	for text, want := range map[string]string{
		"faulty": newer.Digest, "faulty@1.0.0": older.Digest, older.Digest: older.Digest, newer.Digest[:20]: newer.Digest,
	} {
		if found, err := s.Lookup(text); err != nil || found.Digest != want {
			t.Errorf("%s is %s, %v", text, found.Digest, err)
		}
	}
	for text, words := range map[string]string{
		"other": "is not installed", "faulty@2.0.0": "there are 1.10.0 (sha256:",
		"sha256:": "2 plugins begin with", "sha256:zz": "not installed",
	} {
		if _, err := s.Lookup(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: error %v, want %q", text, err, words)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.Folder(), ".*")); len(left) > 0 {
		t.Errorf("remaining files: %v", left)
	}
}

// Two versions of one plugin run at the same time.
func TestTwoVersions(t *testing.T) {
	s := store.In(t.TempDir())
	for _, i := range []store.Installed{install(t, s, "1.0.0"), install(t, s, "1.10.0")} {
		p, err := s.Open(t.Context(), i, host.Config{Processes: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.Describe().Version != i.Version || p.Digest() != i.Digest {
			t.Errorf("%s runs as %s", i.Description, p.Describe())
		}
		same(t, p)
	}
}

func TestInstallRefuses(t *testing.T) {
	s := store.In(t.TempDir())
	install(t, s, "1.0.0")
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	content, err := os.ReadFile(filepath.Join(built, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, words string }{
		{filepath.Join(built, "missing"), "no such file"},
		{built, "is not a file"},
		{write("text", "hello"), "does not start"},
		{write("script", "#!/bin/sh\necho hello\n"), `printed "hello"`},
		// Another executable that claims the same version.
		{write("same", string(content)+"more"), "faulty@1.0.0 is already installed"},
	} {
		if _, err := s.Install(t.Context(), c.path, store.Options{}); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: error %v, want %q", c.path, err, c.words)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 1 {
		t.Errorf("installed are %d, %v", len(all), err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Folder(), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// An executable that is replaced in the store is refused by name, reported by
// Verify, and repaired by installing it again.
func TestReplacedAfterInstall(t *testing.T) {
	s := store.In(t.TempDir())
	i := install(t, s, "1.0.0")
	install(t, s, "1.10.0")
	if problems, err := s.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	other, err := os.ReadFile(filepath.Join(built, "1.10.0"))
	if err := errors.Join(err, os.Remove(i.Path), os.WriteFile(i.Path, other, 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), i, host.Config{}); !errors.Is(err, host.ErrReplaced) || !strings.Contains(err.Error(), i.Digest) {
		t.Errorf("error %v, want that it was replaced", err)
	}
	problems, err := s.Verify(t.Context())
	if err != nil || len(problems) != 1 || problems[0].Plugin != "faulty@1.0.0" || !strings.Contains(problems[0].Detail, "replaced") {
		t.Errorf("%v, %v", problems, err)
	}
	install(t, s, "1.0.0")
	if problems, err := s.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("after it was installed again: %v, %v", problems, err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(i.Path), "plugin.json"), []byte("{"), 0o644); err == nil || os.IsPermission(err) {
		problems, _ := s.Verify(t.Context())
		if err == nil && len(problems) != 1 {
			t.Errorf("a damaged description: %v", problems)
		}
	}
}

func TestRemove(t *testing.T) {
	s := store.In(t.TempDir())
	i := install(t, s, "1.0.0")
	p, err := s.Open(t.Context(), i, host.Config{Processes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := s.Remove(i); err != nil {
		t.Fatal(err)
	}
	same(t, p) // a running plugin continues
	if _, err := s.Lookup("faulty"); !errors.Is(err, store.ErrNotInstalled) {
		t.Errorf("error %v, want that it is not installed", err)
	}
	if err := s.Remove(i); err == nil {
		t.Error("removed twice")
	}
	if left, _ := os.ReadDir(s.Folder()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// If two processes install the same plugin concurrently, both succeed.
func TestInstallConcurrently(t *testing.T) {
	s := store.In(t.TempDir())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := s.Install(t.Context(), filepath.Join(built, "1.0.0"), store.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Errorf("installed are %v, %v", list, err)
	}
}

func TestPin(t *testing.T) {
	s := store.In(t.TempDir())
	older := install(t, s, "1.0.0")
	install(t, s, "1.10.0")
	pinned, err := s.Pin(preprocessing.Plugin{Name: "faulty", Config: []byte(`{"do": ""}`)})
	if err != nil || pinned.Version != "1.10.0" || pinned.Gives.Kind != 0 {
		t.Errorf("pinned %+v, %v", pinned, err)
	}
	pinned, err = s.Pin(preprocessing.Plugin{Name: "faulty", Version: "1.0.0"})
	if err != nil || pinned.Digest != older.Digest {
		t.Errorf("pinned %+v, %v", pinned, err)
	}
	for _, c := range []struct {
		step  preprocessing.Plugin
		words string
	}{
		{preprocessing.Plugin{Name: "faulty", Config: []byte(`{"undo": 1}`)}, "does not match its schema"},
		{preprocessing.Plugin{Name: "faulty", Digest: "sha256:00"}, "is not installed"},
		{preprocessing.Plugin{Name: "other"}, "plugin other is not installed"},
	} {
		if _, err := s.Pin(c.step); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: error %v, want %q", c.step, err, c.words)
		}
	}
}
