package trial

import (
	"fmt"
	"io"
	"time"

	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/plugins/preprocesstest"
)

// Printer returns an observer that prints how this machine confines the plugin, and
// then each check when it is done.
func Printer(w io.Writer, network bool) Observer {
	const form = "%-20s %-8s %8s  %s\n"
	return Observer{
		Started: func(r Report) {
			fmt.Fprintln(w, "how this machine confines plugins; docs/security-plugins.md explains each line:")
			for _, p := range r.Protections.List(network) {
				fmt.Fprintf(w, "  %-5s%s\n", map[bool]string{true: "yes", false: "NO"}[p.Closed], p.Words)
			}
			printable.Fprintf(w, "%s, %s\n"+form, r.Plugin, r.Digest, "CHECK", "RESULT", "TOOK", "")
		},
		Checked: func(r preprocesstest.Result) {
			verdict, why := "passed", r.Note
			switch {
			case r.Err != nil:
				verdict, why = "FAILED", r.Fault
			case r.Skipped != "":
				verdict, why = "skipped", r.Skipped
			}
			printable.Fprintf(w, form, r.Check, verdict, r.Took.Round(time.Millisecond), why)
		},
	}
}

// WriteText writes the figures for a person.
func (f Figures) WriteText(w io.Writer) error {
	printable.Fprintf(w, "%s, %s at a time; start to first result: %.0f ms\n", f.Plugin, f.Batch, f.Start)
	return present.Table(w, []string{"way", "an image (median)", "images/s", "a batch (99 %)"},
		[][]string{speedRow("shared memory", f.Shared), speedRow("gRPC", f.GRPC)})
}

func speedRow(way string, s *Speed) []string {
	if s == nil {
		return []string{way, "it does not share memory with tkit on this machine", "", ""}
	}
	return []string{way, fmt.Sprintf("%.3f ms", s.Image), fmt.Sprintf("%.0f", s.Rate), fmt.Sprintf("%.2f ms", s.P99)}
}
