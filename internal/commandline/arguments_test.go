package commandline

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	a := &cli.App{
		Flags: []cli.Flag{&cli.PathFlag{Name: "home"}},
		Commands: []*cli.Command{
			{Name: "predict", Flags: []cli.Flag{&cli.StringFlag{Name: "model", Aliases: []string{"m"}}, &cli.BoolFlag{Name: "json"}}},
			{Name: "registry", Subcommands: []*cli.Command{
				{Name: "promote", Flags: []cli.Flag{&cli.StringFlag{Name: "reason"}, &cli.BoolFlag{Name: "json"}}},
			}},
		},
	}
	for line, want := range map[string]string{
		"tkit":                                       "tkit",
		"tkit --home h predict a.jpg":                "tkit --home h predict a.jpg",
		"tkit predict a.jpg b.jpg --model m":         "tkit predict --model m a.jpg b.jpg",
		"tkit predict a.jpg -m m --json b.jpg":       "tkit predict -m m --json a.jpg b.jpg",
		"tkit predict a.jpg --model=m b.jpg":         "tkit predict --model=m a.jpg b.jpg",
		"tkit predict --json a.jpg":                  "tkit predict --json a.jpg",
		"tkit predict a.jpg --home h":                "tkit --home h predict a.jpg",
		"tkit predict - --json":                      "tkit predict --json -",
		"tkit predict a.jpg -- --json":               "tkit predict a.jpg -- --json",
		"tkit predict a.jpg --model":                 "tkit predict --model",
		"tkit predict a.jpg --home":                  "tkit --home",
		"tkit predict a.jpg --mode m":                "tkit predict --mode a.jpg m",
		"tkit registry promote f@7 --reason predict": "tkit registry promote --reason predict f@7",
		"tkit registry promote promote --json":       "tkit registry promote --json promote",
		"tkit registry --help promote":               "tkit registry --help promote",
		"tkit nonsense --json":                       "tkit --json nonsense",
	} {
		if got := flagsFirst(a, strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("flagsFirst(%s) = %s, want %s", line, strings.Join(got, " "), want)
		}
	}
}
