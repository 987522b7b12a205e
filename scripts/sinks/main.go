// Sinks shows that a pipeline with many sinks loses nothing: it starts a real HDFS,
// PostgreSQL, OpenSearch and Kafka and a mail server on the loopback interface, runs a
// command on them that is a run of the pipeline "full", kills the first one in the middle,
// and compares what is in each sink with the files that there were.
//
//	go run ./scripts/sinks FOLDER COMMAND...
//
// The folder of the pipeline's file has incoming/good with images and incoming/bad with
// files that are none, and gets dead, the dead letters. `make deps-hadoop deps-kafka
// deps-opensearch postgres` installs the servers. They end with this program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tkit/internal/present"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: sinks FOLDER COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, job{folder: os.Args[1], command: os.Args[2:]}); err != nil {
		fmt.Fprintln(os.Stderr, "sinks:", err)
		os.Exit(1)
	}
}

// A job is a pipeline with its files.
type job struct {
	folder  string   // of the pipeline's file
	command []string // runs the pipeline once
}

// run starts the servers, and demonstrates the pipeline with them.
func run(ctx context.Context, w io.Writer, j job) (err error) {
	began := time.Now()
	s, err := startServers(ctx)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	if err := s.list(w, time.Since(began)); err != nil {
		return err
	}
	return j.demonstrate(ctx, w, s)
}

// demonstrate runs the pipeline, and compares what it was given with what is in the sinks.
func (j job) demonstrate(ctx context.Context, w io.Writer, s *servers) error {
	want, err := readFiles(filepath.Join(j.folder, "incoming"))
	if err != nil {
		return err
	}
	if err := present.Styled(w, present.Bold, "\n$ "+strings.Join(j.command, " ")+"\n"); err != nil {
		return err
	}
	rows, err := j.runAndKill(ctx, s, len(want.good)/2)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "killed with SIGKILL when PostgreSQL had %d of %d images; the same command again:\n", rows, len(want.good))
	if err := j.runToEnd(ctx, w, s); err != nil {
		return err
	}
	return s.compare(ctx, w, want, filepath.Join(j.folder, "dead"))
}

// start starts the pipeline. Its output and its log go to a writer each.
func (j job) start(ctx context.Context, s *servers, out, log io.Writer) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, j.command[0], j.command[1:]...)
	cmd.Stdout, cmd.Stderr = out, log
	cmd.Env = append(os.Environ(), s.environment()...)
	return cmd, cmd.Start()
}

// runAndKill runs the pipeline, kills it when PostgreSQL has a number of rows, and returns
// how many there are after that.
func (j job) runAndKill(ctx context.Context, s *servers, after int) (int, error) {
	log, err := os.Create(filepath.Join(j.folder, "killed.log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd, err := j.start(ctx, s, log, log)
	if err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if rows, err := s.rows(ctx); err == nil && rows >= after { // the table is missing at first
			break
		}
		select {
		case err := <-ended:
			return 0, fmt.Errorf("the first run ended before it was killed: %v; its log is %s", err, log.Name())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		return 0, err
	}
	<-ended
	return s.rows(ctx)
}

func (j job) runToEnd(ctx context.Context, w io.Writer, s *servers) error {
	log, err := os.Create(filepath.Join(j.folder, "run.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd, err := j.start(ctx, s, w, log)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%v: %w; its log is %s", j.command, err, log.Name())
	}
	return nil
}
