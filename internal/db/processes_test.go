package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"tkit/internal/db"
)

// The test binary is also the other process in these tests: it opens a database
// and counts a given number of times.
func TestMain(m *testing.M) {
	if path := os.Getenv("DB_TEST_PATH"); path != "" {
		times, _ := strconv.Atoi(os.Getenv("DB_TEST_TIMES"))
		if err := child(path, times); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(path string, times int) error {
	ctx := context.Background()
	d, err := db.Open(ctx, path, schema("counting", counters), schema("other", "CREATE TABLE other (x INTEGER)"))
	if err != nil {
		return err
	}
	for range times {
		if err := count(ctx, d); err != nil {
			return err
		}
		fmt.Println("counted")
	}
	return d.Close()
}

func process(path string, times int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DB_TEST_PATH="+path, "DB_TEST_TIMES="+strconv.Itoa(times))
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	var all []*exec.Cmd
	for range 6 { // all of them find no database and create it
		cmd := process(path, 20)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	d := open(t, path, schema("counting", counters))
	if got := number(t, d, "SELECT n FROM counters"); got != 120 {
		t.Errorf("six processes counted to %d, want 120", got)
	}
}

func TestKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	said := 0
	for i := range 15 {
		cmd := process(path, 1<<30)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the child said nothing")
		}
		said++
		time.AfterFunc(time.Duration(i)*700*time.Microsecond, func() { cmd.Process.Signal(syscall.SIGKILL) })
		for lines.Scan() {
			said++
		}
		cmd.Wait()

		d := open(t, path, schema("counting", counters))
		n, logged := number(t, d, "SELECT n FROM counters"), number(t, d, "SELECT count(*) FROM log")
		if n != logged || n < said {
			t.Fatalf("after the kill n = %d with %d log rows; %d commits were reported", n, logged, said)
		}
		if problems, err := d.Check(t.Context()); err != nil || len(problems) > 0 {
			t.Fatalf("after the kill: %q, %v", problems, err)
		}
		said = n
	}
}

func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	d := open(t, path, schema("counting", counters), schema("other", "CREATE TABLE other (x INTEGER)"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := []func() error{
		func() error { return process(path, 1).Run() },         // another process
		func() error { return count(t.Context(), d) },          // this one
		func() error { cancel(); return nil },                  // and the end
		func() error { return fmt.Errorf("goes on for ever") }, // never reached
	}
	seen := 0
	for err := range d.Changes(ctx, time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, d, "SELECT n FROM counters"); n < seen {
			t.Fatalf("after change %d the counter is %d", seen, n)
		}
		if err := steps[seen](); err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != 3 {
		t.Errorf("%d changes seen, want the first look and two commits", seen)
	}
}
