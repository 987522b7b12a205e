package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/commandline"
	"tkit/internal/home"
	"tkit/internal/preprocessing"
	"tkit/registry"
)

// registryAt makes a registry with two versions of the model flowers.
func registryAt(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	r, err := registry.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, head := range []string{"head 1", "head 2"} {
		_, err := r.Register(t.Context(), registry.Registration{
			Manifest: registry.Manifest{
				Model:         "flowers",
				Labels:        []string{"daisy", "rose"},
				Preprocessing: preprocessing.ForMode(preprocessing.TF, 224, 224, 3),
				Signature: registry.Signature{
					Inputs:  []registry.TensorSpec{{Name: "images", DataType: "float32", Shape: []int64{-1, 224, 224, 3}}},
					Outputs: []registry.TensorSpec{{Name: "probabilities", DataType: "float32", Shape: []int64{-1, 2}}},
				},
			},
			Trunk: registry.FromReader(strings.NewReader("trunk")),
			Head:  registry.FromReader(strings.NewReader(head)),
			By:    registry.Change{Actor: "ann"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// runRegistry runs `tkit registry` in this process.
func runRegistry(t *testing.T, home string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	a := app()
	a.Writer = &out
	err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", home, "registry"}, args...))
	return out.String(), err
}

func TestRegistryCommands(t *testing.T) {
	home := registryAt(t)
	t.Setenv("TKIT_ACTOR", "bob")
	for _, c := range []struct {
		args string
		want []string // in the output
		err  string   // in the error, where there must be one
	}{
		{args: "list", want: []string{"MODEL", "flowers", "2"}},
		{args: "list flowers", want: []string{"flowers@1", "flowers@2"}},
		{args: "show flowers", err: "(`tkit registry promote flowers@2` promotes the newest version)"},
		{args: "show flowers@champion", err: "`tkit registry promote --alias champion flowers@2`"},
		{args: "promote flowers@1", want: []string{"flowers@production is version 1", "by bob"}},
		{args: "promote --reason better --actor cem flowers@2", want: []string{"is version 2", "by cem: better"}},
		{args: "promote --alias champion flowers", want: []string{"flowers@champion is version 2"}},
		{args: "show flowers", want: []string{"flowers@2", "champion production", "224", "daisy, rose", "5 B"}},
		{args: "rollback flowers", want: []string{"flowers@production is version 1"}},
		{args: "rollback flowers", err: "named no version before 1"},
		{args: "rollback flowers@champion", err: "named no version before 2"},
		{args: "rollback flowers@2", err: "which is immutable"},
		{args: "remove-alias flowers@champion", want: []string{"removed"}},
		{args: "remove-alias flowers@2", err: "which is immutable"},
		{args: "history flowers", want: []string{"register", "production 1 → 2", "production 2 → 1", "champion, was 2", "better", "cem"}},
		{args: "history", want: []string{"register"}},
		{args: "verify", want: []string{"everything is unchanged since its registration"}},
		{args: "gc --dry-run", want: []string{"would remove 0"}},
		{args: "gc", want: []string{"removed 0"}},
		{args: "export flowers", err: "registry export --help"},
		{args: "export flowers FOLDER", err: "trunk"}, // it is no network
		{args: "show", err: "registry show --help"},
		{args: "promote flowers@2 --alias champion", want: []string{"flowers@champion is version 2"}},
		{args: "remove flowers@champion", err: "is an alias; name a version"},
		{args: "remove flowers", err: "version 1 (flowers@production): an alias names it: remove the alias, or promote another version, first (`tkit registry remove-alias"},
		{args: "remove flowers@2 --reason bad", err: "flowers@champion"},
		{args: "remove-alias flowers@champion", want: []string{"removed"}},
		{args: "remove flowers@2 --reason bad", want: []string{"removed flowers@2"}},
		{args: "remove flowers@2", err: "by bob: bad"},
		{args: "show flowers@2", err: "by bob: bad"},
		{args: "list", want: []string{"flowers"}},
		{args: "list flowers", want: []string{"flowers@1", "flowers@2", "by bob: bad"}},
		{args: "history flowers", want: []string{"delete", "version 2", "bad"}},
		{args: "verify", want: []string{"everything is unchanged since its registration"}},
		{args: "gc", want: []string{"removed 1"}},
		{args: "show cars", err: "there are flowers"},
		{args: "show flower", err: "did you mean flowers?"},
		{args: "show flowers@prodution", err: "did you mean flowers@production?"},
		{args: "show Flowers", err: "model name"},
		{args: "show flowers@9", err: "newest version is 1"},
		{args: "verify flowers", err: "takes no argument"},
	} {
		out, err := runRegistry(t, home, strings.Fields(strings.Replace(c.args, "FOLDER", filepath.Join(home, "exported"), 1))...)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("registry %s: %v, want an error with %q", c.args, err, c.err)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("registry %s printed\n%s\nwant %q in it", c.args, out, w)
			}
		}
	}
}

func TestRegistryJSON(t *testing.T) {
	t.Parallel()
	home := registryAt(t)
	for _, args := range []string{
		"promote --json flowers@1", "promote --json flowers@2", "rollback --json flowers", "list --json", "list --json flowers",
		"show --json flowers", "remove --json flowers@2", "list --json flowers", "history --json", "verify --json", "gc --json",
	} {
		out, err := runRegistry(t, home, strings.Fields(args)...)
		if err != nil || !json.Valid([]byte(out)) || strings.Contains(out, "null") {
			t.Errorf("registry %s printed\n%s, %v", args, out, err)
		}
	}
}

// What only looks makes no home where a name was mistyped.
func TestNoHomeIsMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range []string{
		"registry list", "registry show m", "registry history", "registry verify", "registry gc", "registry promote m@1",
		"datasets list", "datasets show d", "datasets acl d", "datasets snapshots d", "datasets audit", "datasets audit verify",
		"access token list", "access token revoke 1", "predict --model m x.png",
	} {
		missing := filepath.Join(dir, "mistyped")
		if _, _, err := tkit(t, missing, strings.Fields(args)...); !errors.Is(err, home.ErrNone) || !strings.Contains(err.Error(), "tkit train") {
			t.Errorf("tkit %s: %v", args, err)
		}
		if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("tkit %s made a home: %v", args, err)
		}
	}
}

// Every command refuses a home that others could write to.
func TestHomeOfEverybody(t *testing.T) {
	t.Parallel()
	dir := registryAt(t)
	for _, mode := range []fs.FileMode{0o777, 0o770, 0o702} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{
			"registry list", "registry gc", "datasets list", "datasets check x", "access whoami", "access token create", "plugins list",
			"architectures list", "train --architecture lenet5 --data x --name x", "predict --model flowers x", "serve",
		} {
			if _, _, err := tkit(t, dir, strings.Fields(args)...); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chmod go-w") {
				t.Errorf("mode %o: tkit %s: %v", mode, args, err)
			}
		}
	}
}

func TestRegistryVerifyFails(t *testing.T) {
	t.Parallel()
	home := registryAt(t)
	heads, err := filepath.Glob(filepath.Join(home, "blobs", "sha256", "*", "*"))
	if err != nil || len(heads) != 3 {
		t.Fatalf("the blobs are %v, %v", heads, err)
	}
	if err := os.Remove(heads[0]); err != nil {
		t.Fatal(err)
	}
	out, err := runRegistry(t, home, "verify")
	if err == nil || !strings.Contains(err.Error(), "1 found") || !strings.Contains(out, filepath.Base(heads[0])) {
		t.Errorf("verify printed %q, %v", out, err)
	}
}

func TestRegistryCompletion(t *testing.T) {
	t.Parallel()
	home := registryAt(t)
	if _, err := runRegistry(t, home, "promote", "flowers@1"); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string][]string{
		"show":    {"flowers", "flowers@production", "flowers@2", "flowers@1"},
		"history": {"flowers"},
	} {
		out, err := runRegistry(t, home, command, "", "--generate-shell-completion")
		if err != nil || !slices.Equal(strings.Fields(out), want) {
			t.Errorf("completion of registry %s: %q, %v; want %q", command, out, err, want)
		}
	}
	empty := filepath.Join(t.TempDir(), "none")
	if out, err := runRegistry(t, empty, "show", "", "--generate-shell-completion"); err != nil || out != "" {
		t.Errorf("completion without a registry: %q, %v", out, err)
	}
	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Errorf("completion made %s", empty)
	}
}

func TestDatasetCompletion(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	if out := mustRun(t, g.home, "datasets", "show", "", "--generate-shell-completion"); strings.Contains(out, "scans") {
		t.Errorf("offers what one may not see: %q", out)
	}
	g.olga(t, "list")
	for _, command := range []string{"show", "acl", "snapshots"} {
		if out := mustRun(t, g.home, "datasets", command, "", "--generate-shell-completion"); out != "scans\n" {
			t.Errorf("%s offers %q", command, out)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	mustRun(t, none, "datasets", "show", "", "--generate-shell-completion")
	if _, err := os.Stat(none); err == nil {
		t.Error("completion made a home")
	}
}
