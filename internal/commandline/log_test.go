package commandline

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func TestLogHasUnits(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var said strings.Builder
		a := sample(func(c *cli.Context) error {
			NewLog(c, true).Debug("loaded", "took", 1500*time.Millisecond)
			NewLog(c, false).Debug("hidden")
			Tell(c, "warning", "turned")
			return nil
		})
		a.ErrWriter = &said
		line := []string{"tkit", "predict", "--model", "rose", "a.png"}
		if asJSON {
			line = append(line, "--json")
		}
		if err := Run(t.Context(), a, line); err != nil {
			t.Fatal(err)
		}
		first, second, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		if !asJSON {
			if !strings.Contains(first, "took=1.5s") || second != "warning: turned" {
				t.Errorf("text is %q", said.String())
			}
			continue
		}
		var log map[string]any
		if err := json.Unmarshal([]byte(first), &log); err != nil || log["took_seconds"] != 1.5 || log["took"] != nil || second != `{"warning":"turned"}` {
			t.Errorf("JSON is %q, %v", said.String(), err)
		}
	}
}
