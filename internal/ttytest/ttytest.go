// Package ttytest opens pseudo-terminals for tests.
package ttytest

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Open opens a terminal of a size. Programs use tty; what they display can be read
// from screen, and what is written to screen is typed. The caller closes both.
func Open(t testing.TB, columns, rows uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(screen.Fd())
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
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// Screen opens a terminal of a size. Shown closes it and returns everything that
// was displayed.
func Screen(t testing.TB, columns, rows uint16) (tty *os.File, shown func() string) {
	t.Helper()
	screen, tty := Open(t, columns, rows)
	// Closing one end can discard data that the other has not read yet, so a
	// last character marks the end.
	const last = "\x04"
	text := make(chan string)
	go func() {
		got, _ := bufio.NewReader(screen).ReadString(last[0])
		text <- got
	}()
	return tty, func() string {
		defer screen.Close()
		defer tty.Close()
		if _, err := tty.WriteString(last); err != nil {
			t.Fatal(err)
		}
		return <-text
	}
}
