package commandline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"tkit/internal/printable"
	"tkit/internal/ttytest"
)

func TestArity(t *testing.T) {
	for usage, want := range map[string][2]int{
		"": {0, 0}, "MODEL": {1, 1}, "[MODEL]": {0, 1}, "NAME FOLDER|URI": {2, 2}, "IMAGE...": {1, math.MaxInt},
		"MODEL[@VERSION|@ALIAS] FOLDER": {2, 2}, "NAME [grant|deny PRINCIPAL RIGHTS | revoke NUMBER | owner PRINCIPAL]": {1, 4},
	} {
		if least, most := arity(usage); least != want[0] || most != want[1] {
			t.Errorf("%q takes %d to %d, want %v", usage, least, most, want)
		}
	}
}

func TestReport(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	failed := errors.New("no rose")
	for _, c := range []struct {
		line   string
		err    error
		ctx    context.Context
		status int
		want   string
	}{
		{"tkit x", nil, t.Context(), 0, ""},
		{"tkit x", failed, t.Context(), StatusFailed, "tkit: no rose\n"},
		{"tkit x --json", failed, t.Context(), StatusFailed, `{"error":"no rose","exit_status":1}` + "\n"},
		{"tkit x --json=true", Usage(failed), t.Context(), StatusUsage, `{"error":"no rose","exit_status":2}` + "\n"},
		{"tkit x --json=1", failed, t.Context(), StatusFailed, `{"error":"no rose","exit_status":1}` + "\n"},
		{"tkit x -json=T", failed, t.Context(), StatusFailed, `{"error":"no rose","exit_status":1}` + "\n"},
		{"tkit x --json=0", failed, t.Context(), StatusFailed, "tkit: no rose\n"},
		{"tkit x --json --json=false", failed, t.Context(), StatusFailed, "tkit: no rose\n"},
		{"tkit x --json=false --json", failed, t.Context(), StatusFailed, `{"error":"no rose","exit_status":1}` + "\n"},
		{"tkit x --json=yes", Usage(failed), t.Context(), StatusUsage, "tkit: no rose\n"},
		{"tkit x --jsons", Usage(failed), t.Context(), StatusUsage, "tkit: no rose\n"},
		{"tkit x --json", fmt.Errorf("read: %w", context.Canceled), interrupted, StatusInterrupted, `{"error":"interrupted: read: context canceled","exit_status":130}` + "\n"},
		{"tkit x", context.Canceled, t.Context(), StatusFailed, "tkit: context canceled\n"},
		{"tkit x -- --json", fmt.Errorf("x: %w", Usagef("no %s", "rose")), t.Context(), StatusUsage, "tkit: x: no rose\n"},
	} {
		var said strings.Builder
		if status := Report(c.ctx, &said, strings.Fields(c.line), c.err); status != c.status || said.String() != c.want {
			t.Errorf("%s, %v: %d, %q; want %d, %q", c.line, c.err, status, said.String(), c.status, c.want)
		}
	}
}

// An error is as wide as the terminal.
func TestErrorFitsTheTerminal(t *testing.T) {
	tty, text := ttytest.Screen(t, 30, 10)
	t.Setenv("NO_COLOR", "1")
	err := errors.Join(errors.New("the first of two long errors of a command"), errors.New("and the second one, which is long too"))
	Report(t.Context(), tty, nil, err)
	want := "tkit: the first of two long\nerrors of a command\nand the second one, which is\nlong too\n"
	if got := strings.TrimSuffix(strings.ReplaceAll(text(), "\r", ""), "\x04"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// sample is an application with a command of every form.
func sample(act cli.ActionFunc) *cli.App {
	a := &cli.App{
		Name:  "tkit",
		Flags: []cli.Flag{&cli.PathFlag{Name: "home", Value: "h"}},
		Commands: []*cli.Command{
			{Name: "predict", Usage: "classify", ArgsUsage: "IMAGE...", Action: act, Flags: []cli.Flag{
				&cli.StringFlag{Name: "model", Usage: "the `MODEL`", Required: true}, &cli.IntFlag{Name: "top", Value: 3}, &cli.BoolFlag{Name: "json"},
			}},
			{Name: "registry", Usage: "versions", Subcommands: []*cli.Command{
				{Name: "acl", ArgsUsage: "MODEL [grant|deny PRINCIPAL | revoke NUMBER]", Action: act},
				{Name: "sort", Action: act, Flags: []cli.Flag{&cli.StringSliceFlag{Name: "by"}}},
			}},
		},
	}
	models := Value{
		Check: func(s string) error {
			if strings.HasPrefix(s, "!") {
				return fmt.Errorf("%q is no model", s)
			}
			return nil
		},
		Offer: func(c *cli.Context) []string { return []string{"rose", "rose@1", "tulip@" + c.String("home")} },
	}
	Prepare(a, Rules{
		Bounds:  Bounds{"predict": {"top": {1, 9}}},
		Values:  Values{"MODEL": models, "--model": models, "--by": {Choices: []string{"name", "time"}}, "grant|deny": {Choices: []string{"grant", "deny", "revoke"}}},
		Explain: func(err error) error { return err },
	})
	return a
}

func TestChecks(t *testing.T) {
	for line, want := range map[string]string{
		"predict --model rose a.png":              "",
		"predict a.png":                           "--model is missing; see `tkit predict --help`",
		"predict --model !x a.png":                `--model: "!x" is no model`,
		"predict --model rose":                    "tkit predict takes IMAGE...; see `tkit predict --help`",
		"predict --model rose --top 10 a.png":     "--top is 10: want 1 to 9",
		"registry acl rose grant user:x":          "",
		"registry acl rose revoke !1":             "",
		"registry acl !rose":                      `"!rose" is no model`,
		"registry acl rose give user:x":           `"give": want grant, deny or revoke`,
		"registry sort --by name --by time":       "",
		"registry sort --by name --by tim":        `--by is "tim": want name or time: did you mean time?`,
		"registry sort x":                         `tkit registry sort takes no argument, got "x"; see` + " `tkit registry sort --help`",
		"registry srt":                            `no command "srt": did you mean sort?; see` + " `tkit registry --help`",
		"predict --model rose a.png --nonsense 1": "no flag --nonsense; see `tkit predict --help`",
	} {
		ran := false
		err := Run(t.Context(), sample(func(*cli.Context) error { ran = true; return nil }), append([]string{"tkit"}, strings.Fields(line)...))
		var usage *UsageError
		if want == "" && (err != nil || !ran) || want != "" && (ran || err == nil || err.Error() != want || !errors.As(err, &usage)) {
			t.Errorf("tkit %s: ran %t, %v; want %s", line, ran, err, want)
		}
	}
}

func TestComplete(t *testing.T) {
	for line, want := range map[string]string{ // "_" is an empty word
		"_":                              "predict\tclassify|registry\tversions",
		"pr":                             "predict\tclassify",
		"registry _":                     "acl|sort",
		"predict --":                     "--help\tshow help|--home|--model\tthe MODEL|--top|--json",
		"predict --m":                    "--model\tthe MODEL",
		"predict --model _":              "rose|rose@1|tulip@h",
		"predict --model rose@":          "rose@1",
		"predict --model=t":              "--model=tulip@h",
		"--home x predict --model tul":   "tulip@x",
		"predict --home=x --model tul":   "tulip@x",
		"predict --model rose _":         "",
		"predict --json a.png --model t": "tulip@h",
		"registry acl _":                 "rose|rose@1|tulip@h",
		"registry acl rose _":            "grant|deny|revoke",
		"registry acl rose grant _":      "",
		"registry sort --by _":           "name|time",
		"registry sort --by name --by t": "time",
		"nonsense _":                     "",
		"predict -- --m":                 "",
	} {
		var out strings.Builder
		a := sample(func(*cli.Context) error { return errors.New("ran") })
		a.Writer = &out
		words := strings.Fields(line)
		if last := len(words) - 1; words[last] == "_" {
			words[last] = ""
		}
		err := Run(t.Context(), a, append(append([]string{"tkit"}, words...), completionFlag))
		if got := strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "|"); err != nil || got != want {
			t.Errorf("tkit %s: %q, %v; want %q", line, got, err, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// Output that is lost is an error, also of help and of a command that ignores it.
func TestLostOutput(t *testing.T) {
	for _, line := range []string{"tkit --help", "tkit predict --help", "tkit predict x --model m"} {
		a := sample(func(c *cli.Context) error {
			fmt.Fprintln(c.App.Writer, "rose")
			return nil
		})
		Prepare(a, Rules{Explain: func(err error) error { return err }})
		a.Writer = printable.NewWriter(full{})
		if err := Run(t.Context(), a, strings.Fields(line)); err == nil || err.Error() != "no space left" {
			t.Errorf("%s: %v", line, err)
		}
	}
}
