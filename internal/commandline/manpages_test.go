package commandline_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
)

func TestManPages(t *testing.T) {
	a := &cli.App{
		Name: "tool", Usage: "does things", Version: "1.2",
		Flags: []cli.Flag{&cli.StringFlag{Name: "home", Usage: "keep all in `FOLDER`"}},
		Commands: []*cli.Command{
			{Name: "make", Usage: "make one", ArgsUsage: "NAME", Description: "Makes it.\n\nExamples:\n   tool make 'a\\b'\n\n.dotted",
				Flags: []cli.Flag{&cli.IntFlag{Name: "max-size", Usage: "at most `N` parts …", Value: 3}}},
			{Name: "show", Usage: "show some", Subcommands: []*cli.Command{{Name: "all", Usage: "show all of them"}, {Name: "none", Hidden: true}}},
			{Name: "secret", Hidden: true},
		},
	}
	pages := commandline.ManPages(a)
	if got, want := slices.Sorted(maps.Keys(pages)), []string{"tool-make.1", "tool-show.1", "tool.1"}; !slices.Equal(got, want) {
		t.Fatalf("pages %q, want %q", got, want)
	}
	for name, wants := range map[string][]string{
		"tool.1":      {`.TH "TOOL" 1 "" "tool 1.2"`, `tool \- does things`, `.B \-\-home FOLDER`, `.BR tool\-make (1)`, "make one"},
		"tool-make.1": {`.B tool make`, "[options] NAME", ".nf\n   tool make 'a\\eb'\n", ".fi\n", "\n\\&.dotted\n", `.B \-\-max\-size N`, "at most N parts \\[u2026] (default: 3)", ".BR tool (1)"},
		"tool-show.1": {`.SH "TOOL SHOW ALL"`, "show all of them", "COMMAND [options]"},
	} {
		for _, want := range wants {
			if !strings.Contains(pages[name], want) {
				t.Errorf("%s lacks %q:\n%s", name, want, pages[name])
			}
		}
	}
	if strings.Contains(pages["tool-show.1"], "none") {
		t.Errorf("a hidden command is shown:\n%s", pages["tool-show.1"])
	}
}
