package progress_test

import (
	"strings"
	"testing"
	"time"

	"tkit/internal/ttytest"
	"tkit/train"
	"tkit/train/progress"
)

// Notes and warnings are as wide as the terminal.
func TestNotesFitTheTerminal(t *testing.T) {
	for _, columns := range []uint16{40, 0} {
		tty, text := ttytest.Screen(t, columns, 30)
		observe, end := progress.Show(tty, progress.Drawable(tty))
		observe(train.Noted{Text: "one note " + strings.Repeat("that is long ", 9) + "indeed"})
		observe(train.DeviceFound{Device: "CPU", Missing: []string{strings.Repeat("library ", 12) + "missing"}})
		end()
		longest := 0
		for line := range strings.Lines(text()) {
			longest = max(longest, len(strings.TrimRight(line, "\r\n")))
		}
		if fits := longest <= 40; fits != (columns == 40) {
			t.Errorf("%d columns: a line has %d", columns, longest)
		}
	}
}

// A run is displayed for every reported size of the terminal, and its lines
// arrive; the rate of a resumed run counts only the work of this run.
func TestProgressOnTerminal(t *testing.T) {
	for _, size := range [][2]uint16{{100, 30}, {0, 0}, {1, 1}} {
		tty, text := ttytest.Screen(t, size[0], size[1])
		observe, end := progress.Show(tty, progress.Drawable(tty))
		for range 3 {
			observe(train.PhaseBegan{Phase: train.Snapshot, Total: 2, Unit: "images"})
			time.Sleep(150 * time.Millisecond) // a bar is drawn each tenth of a second
			observe(train.Progress{Phase: train.Snapshot, Done: 2, Total: 2})
			observe(train.PhaseEnded{Phase: train.Snapshot, Took: time.Second})
		}
		observe(train.Resumed{Step: 900, Steps: 1000})
		observe(train.PhaseBegan{Phase: train.Epochs, Total: 1000, Unit: "steps"})
		observe(train.Progress{Phase: train.Epochs, Done: 910, Total: 1000})
		observe(train.PhaseEnded{Phase: train.Epochs, Took: time.Second})
		end()
		got := text()
		if n := strings.Count(got, "2 images in 1s, 2/s"); n != 3 {
			t.Errorf("%v: %d lines of three in %q", size, n, got)
		}
		if want := "10 steps in 1s, 10/s"; !strings.Contains(got, want) {
			t.Errorf("%v: no %q in %q", size, want, got)
		}
	}
}
