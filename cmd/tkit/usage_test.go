package main

import (
	"io"
	"strings"
	"testing"

	"tkit/internal/commandline"
)

// What is mistyped is answered by a line with what was meant, not by the help.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"tkit trian":                            "no command \"trian\": did you mean train?; see `tkit --help`",
		"tkit nonsense":                         "no command \"nonsense\"; see `tkit --help`",
		"tkit registry shwo m":                  "no command \"shwo\": did you mean show?; see `tkit registry --help`",
		"tkit train --bse x":                    "no flag --bse: did you mean --base?; see `tkit train --help`",
		"tkit registry promote m@1 --alis x":    "no flag --alis: did you mean --alias?; see `tkit registry promote --help`",
		"tkit predict --nonsense":               "no flag --nonsense; see `tkit predict --help`",
		"tkit train --hme x":                    "no flag --hme: did you mean --home?; see `tkit train --help`",
		"tkit --hom x train":                    "no flag --hom: did you mean --home?; see `tkit --help`",
		"tkit serve --max-batch many":           "invalid value \"many\" for flag -max-batch",
		"tkit registry promote m@1 --alias":     "flag needs an argument: -alias; see `tkit registry promote --help`",
		"tkit datasets check --look-alike warn": "no flag --look-alike: did you mean --look-alikes?; see `tkit datasets check --help`",
	} {
		a := app()
		var out strings.Builder
		a.Writer, a.ErrWriter = &out, io.Discard
		err := commandline.Run(t.Context(), a, strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
		if status := commandline.Report(t.Context(), io.Discard, nil, err); status != commandline.StatusUsage {
			t.Errorf("%s: exit status %d", line, status)
		}
		if out.Len() > 0 {
			t.Errorf("%s prints %.200s", line, &out)
		}
	}
}
