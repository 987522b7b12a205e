package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
)

// A wrong command line has one exit status, and is reported before anything is
// opened: the home does not exist, and is not created.
func TestWrongUsage(t *testing.T) {
	for _, line := range []string{
		"train", "train --base b", "train --base b --data d", "train x", "train --base b --architecture lenet5 --data d --name m",
		"train --base b --data d --name A", "train --base b --data d --name m --cut x:y", "train --architecture lenet --data d --name m",
		"train --architecture lenet5 --data d --name m --optimiser x", "train --architecture lenet5 --data d --name m --schedule x",
		"train --architecture lenet5 --data d --name m --look-alikes x", "train --architecture lenet5 --data d --name m --cut x",
		"train --architecture lenet5 --data d --name m --look-alikes together --per-class 3", "train --base b --data d --name m --copies 2",
		"predict", "predict x.png", "predict --model m", "predict --model m@ x.png", "predict --model m x.png --top 0",
		"serve a b", "serve --precision int8", "serve --http nonsense", "serve --grpc 1.2.3.4", "serve d --models m", "serve --name m", "serve --models M",
		"registry list a b", "registry list A", "registry show", "registry show m@x@y", "registry show m n", "registry promote m@0",
		"registry promote m@1 --alias 7", "registry rollback", "registry export m@1", "registry history a b", "registry verify x", "registry gc x",
		"registry acl m grant", "registry acl m give user:a use", "registry acl m grant bob use", "registry acl m grant user:b fly", "registry acl m revoke x",
		"registry acl m grant user:b use --expires never", "registry acl m grant user:b use --only-for=", "registry protect m --owner bob",
		"registry declassify m@1 d", "registry declassify m@1 d --right fly --expires 1d --reason r", "registry reclassify x", "registry access",
		"datasets check", "datasets check d --look-alikes x", "datasets check d --look-alikes together --per-class 3", "datasets sample",
		"datasets sample --format x d", "datasets sample --digits x d",
		"datasets add d", "datasets add d f --owner bob", "datasets list x", "datasets show", "datasets audit x", "datasets audit verify --known x",
		"plugins new", "plugins new x --lang c", "plugins install", "plugins list x", "plugins test x --sides 3", "plugins bench x --config []",
		"access whoami x", "cache show x", "cache clear x", "access accept", "access accept x --reason r", "access token create bob", "access token create --expires x", "access token revoke",
		"architectures list x", "architectures show", "architectures show lenet", "completion", "completion tcsh", "nonsense", "registry nonsense",
		"registry rollback m@1", "registry remove-alias m@1", "registry remove", "registry remove m@champion", "registry remove A", "datasets remove", "datasets add A d", "access token create group:a", "base import A d", "plugins new A",
		"datasets check d --validation .6 --test .6", "train --base b --data d --name m --validation .6 --test .6", "predict --model m - -",
		"serve --tls-cert c", "serve --http= --grpc=",
		"access token create --expires 400d", "access token create --expires 2999-01-01", "registry declassify m@1 d --right use --expires 40000d --reason r",
		"registry gc --wait 1", "registry gc --wait 31d", "serve --timeout 2d", "serve . --name A", "serve none", "serve --groups none", "serve --tls-cert none --tls-key none",
		"datasets add d none", "datasets add d s3://b/d", "datasets add d file://elsewhere/d", "datasets check none", "datasets check ./none", "datasets check s3://b/d",
		"datasets check .?format=x&y=z", "train --base b --data none --name m", "train --base none --data . --name m", "train --architecture lenet5 --data s3://b/d --name m",
		"train --architecture lenet5 --data ./none --name m", "train --architecture lenet5 --data . --name m --preprocessing none.yaml",
		"base import d none", "base import d . --labels none", "base import d . --preprocessing none.yaml", "plugins install none", "plugins test none", "predict --model m x.png --gpu-memory 2",
		"--nonsense", "registry list --nonsense", "train --epochs x",
	} {
		dir := t.TempDir()
		t.Chdir(dir)
		a := app()
		a.Writer, a.ErrWriter = io.Discard, io.Discard
		err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", filepath.Join(dir, "home")}, strings.Fields(line)...))
		if status := commandline.Report(t.Context(), io.Discard, nil, err); status != commandline.StatusUsage {
			t.Errorf("tkit %s: exit status %d, %v", line, status, err)
		}
		if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
			t.Errorf("tkit %s creates %v, %v", line, made, err)
		}
	}
}

// A command that only reads creates nothing where there is no home.
func TestReadingCreatesNoHome(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "digits")
	mustRun(t, t.TempDir(), "datasets", "sample", "--digits", "0,1", data)
	for line, ok := range map[string]bool{
		"registry list": false, "registry list m": false, "registry show m": false, "registry history": false, "registry verify": false,
		"registry gc": false, "cache show": false, "cache clear": false, "registry remove m": false, "datasets remove d": false, "registry gc --dry-run": false, "registry access m": false, "registry acl m": false, "registry export m x": false,
		"datasets list": false, "datasets show d": false, "datasets snapshots d": false, "datasets acl d": false, "datasets audit": false,
		"datasets audit verify": false, "access token list": false, "predict --model m x.png": false, "plugins show p": false, "plugins remove p": false,
		"plugins list": true, "plugins verify": true, "access whoami": true, "datasets check " + data: true, "architectures list": true,
		"completion bash": true, "--help": true, "--version": true,
	} {
		for _, json := range []string{"", " --json"} {
			if json != "" && strings.HasPrefix(line, "-") || line == "completion bash" || line == "plugins remove p" {
				json = ""
			}
			home := filepath.Join(t.TempDir(), "home")
			_, said, err := tkit(t, home, strings.Fields(line+json)...)
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), home) && !strings.Contains(err.Error(), "not installed") {
				t.Errorf("tkit %s: %v\n%s", line+json, err, said)
			}
			if _, err := os.Stat(home); err == nil {
				t.Errorf("tkit %s creates a home", line+json)
			}
		}
	}
}

// Each entry about arguments and flags is about one that exists, and every flag
// that must be given is checked without cli's whole help.
func TestArgumentValuesFit(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for word := range strings.FieldsSeq(c.ArgsUsage) {
				optional := strings.TrimPrefix(word, "[")
				bare := strings.TrimSuffix(optional, "]")
				met[word], met[optional], met[bare], met[c.Name+" "+bare] = true, true, true, true
			}
			for _, f := range c.Flags {
				met["--"+f.Names()[0]], met[c.Name+" --"+f.Names()[0]] = true, true
				if r, is := f.(cli.RequiredFlag); is && r.IsRequired() {
					t.Errorf("%s --%s is required by cli", c.Name, f.Names()[0])
				}
				if usage := f.(cli.DocGenerationFlag).GetUsage(); strings.Count(usage, "`") > 2 {
					t.Errorf("%s --%s: only the first backquotes of %q name the value", c.Name, f.Names()[0], usage)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk(app().Commands)
	for name := range argumentValues {
		if !met[name] {
			t.Errorf("no command has %s", name)
		}
	}
}
