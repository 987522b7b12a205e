package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/internal/commandline"
	"tkit/plugins/host"
	"tkit/registry"
)

// Hints name flags that exist, and commands that the command line takes as they are,
// once the words in capitals are filled in.
func TestHints(t *testing.T) {
	var all []error
	for _, h := range hints {
		all = append(all, h.err)
	}
	for _, why := range []error{access.ErrUnprotected, access.ErrNoDatasets, access.ErrRegistered} {
		all = append(all, &access.ObjectError{Object: access.Dataset("scans"), Err: why})
	}
	for _, alias := range []string{registry.Production, "champion"} {
		all = append(all, &registry.AliasError{Ref: registry.Ref{Model: "flowers", Alias: alias}, Latest: 7})
	}
	all = append(all, &host.ContractError{Plugin: 2, Host: 1})

	fill := strings.NewReplacer("PATH", "folder", "FOLDER", "folder", "NAME", "brighten", "TEXT", "restored",
		"MODEL", "flowers", "ALIAS", "champion", "VERSION", "7", "ADDRESS", "postgres://127.0.0.1:1/models")
	flags := flagsOf([]*cli.Command{{Flags: app().Flags, Subcommands: app().Commands}})
	for _, err := range all {
		err = fmt.Errorf("it failed: %w", err)
		said := withHints(err)
		if !errors.Is(said, err) || said.Error() == err.Error() {
			t.Errorf("%v has no hint: %v", err, said)
		}
		given := strings.TrimPrefix(said.Error(), err.Error())
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(given, -1) {
			if !flags[flag] && flag != "--help" {
				t.Errorf("%v: no command has %s", said, flag)
			}
		}
		for _, command := range regexp.MustCompile("`tkit ([^`]+)`").FindAllStringSubmatch(given, -1) {
			takes(t, fill.Replace(command[1]))
		}
	}
}

// flagsOf returns the flags of commands and of those below them.
func flagsOf(commands []*cli.Command) map[string]bool {
	found := make(map[string]bool)
	for _, c := range commands {
		for _, f := range c.Flags {
			found["--"+f.Names()[0]] = true
		}
		for name := range flagsOf(c.Subcommands) {
			found[name] = true
		}
	}
	return found
}

// takes reports a command line that is wrong. Other errors are expected: there is no
// home, and the folder is empty.
func takes(t *testing.T, line string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	a := app()
	a.Writer, a.ErrWriter = io.Discard, io.Discard
	err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", filepath.Join(dir, "home")}, strings.Fields(line)...))
	if status := commandline.Report(t.Context(), io.Discard, nil, err); status == commandline.StatusUsage {
		t.Errorf("tkit %s: %v", line, err)
	}
}
