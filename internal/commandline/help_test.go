package commandline

import (
	"strings"
	"testing"

	"tkit/internal/printable"
	"tkit/internal/ttytest"
)

// The help fits the terminal, except for examples. Into a file it is not wrapped.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	const example = "   tkit predict --model rose a-very-long-name-of-an-image.png"
	for _, columns := range []uint16{0, 40} {
		a := sample(nil)
		c := a.Commands[0]
		c.Usage = strings.Repeat("classify images ", 5)
		c.Description = strings.Repeat("some words about it ", 3) + "\nand more\n\nExamples:\n" + example
		var b strings.Builder
		got := func() string { return b.String() }
		a.Writer = &b
		if columns > 0 {
			tty, shown := ttytest.Screen(t, columns, 20)
			a.Writer = printable.NewWriter(tty)
			got = func() string { return strings.ReplaceAll(strings.TrimSuffix(shown(), "\x04"), "\r", "") }
		}
		if err := Run(t.Context(), a, []string{"tkit", "predict", "--help"}); err != nil {
			t.Fatal(err)
		}
		text := got()
		for _, want := range []string{"NAME:\n   tkit predict - classify", "USAGE:\n   tkit predict", "Examples:\n   " + example, "   --model MODEL  the MODEL\n", "(default: 3)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%d columns: %q is not in\n%s", columns, want, text)
			}
		}
		for line := range strings.Lines(text) {
			if columns > 0 && len(strings.TrimRight(line, "\n")) > int(columns) && !strings.Contains(line, example) {
				t.Errorf("%q is wider than %d", line, columns)
			}
		}
	}
}
