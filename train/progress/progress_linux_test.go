package progress_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tkit/train"
	"tkit/train/progress"
)

// terminal creates a terminal with the given size, and returns its end for
// programs and a function that closes it and returns what was displayed.
func terminal(t *testing.T, columns, rows uint16) (*os.File, func() string) {
	t.Helper()
	shown, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(shown.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Closing one end can discard data that the other has not read yet, so a
	// last character marks the end.
	const last = "\x04"
	text := make(chan string)
	go func() {
		shown := bufio.NewReader(shown)
		got, _ := shown.ReadString(last[0])
		text <- got
	}()
	return tty, func() string {
		defer shown.Close()
		defer tty.Close()
		if _, err := tty.WriteString(last); err != nil {
			t.Fatal(err)
		}
		return <-text
	}
}

// A run is displayed for every reported size of the terminal, and its lines
// arrive; the rate of a resumed run counts only the work of this run.
func TestProgressOnTerminal(t *testing.T) {
	for _, size := range [][2]uint16{{100, 30}, {0, 0}, {1, 1}} {
		tty, text := terminal(t, size[0], size[1])
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
