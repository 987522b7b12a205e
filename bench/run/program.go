package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"tkit/bench/measure"
)

// program is one of the folders beside this one.
type program struct {
	root, name string
	flags      []string
}

// result is the result of one run of a program.
type result struct {
	Begun time.Time
	Took  time.Duration
	// Busy is the share of the processors that was in use before the run began.
	Busy              float64
	Machine, Software string
	Code              string // the version that was measured
	Rows              []measure.Row
	Failure           string
}

// tooBusy is the share of the processors above which figures are unreliable.
const tooBusy = 0.1

// run builds and runs the program. The result contains what it printed before a
// failure.
func (p program) run(ctx context.Context) (r result, err error) {
	binary := filepath.Join(p.root, ".deps", "bench", "bin", p.name)
	build := exec.CommandContext(ctx, "go", "build", "-tags", "launcher", "-o", binary, "./bench/"+p.name) // as make build does
	build.Dir, build.Stdout, build.Stderr = p.root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return r, fmt.Errorf("go build ./bench/%s: %w", p.name, err)
	}
	if r.Busy, err = busy(ctx, 2*time.Second); err != nil {
		return r, err
	}
	if r.Busy > tooBusy {
		fmt.Fprintf(os.Stderr, "bench/%s: other work uses %.0f %% of the processors: the figures will be unreliable\n", p.name, 100*r.Busy)
	}
	if r.Software, err = versions(ctx); err != nil {
		return r, err
	}
	r.Machine, r.Code, r.Begun = machine(), code(ctx, p.root), time.Now().UTC()
	r.Rows, err = p.rows(ctx, binary)
	r.Took = time.Since(r.Begun)
	if err == nil && len(r.Rows) == 0 {
		err = errors.New("it printed no rows")
	}
	if err != nil {
		r.Failure = err.Error()
	}
	return r, err
}

// rows runs the binary. Lines that are not rows go to standard error.
func (p program) rows(ctx context.Context, binary string) ([]measure.Row, error) {
	cmd := exec.CommandContext(ctx, binary, p.flags...)
	cmd.Dir, cmd.Stderr = p.root, os.Stderr
	cmd.Env = append(os.Environ(), "BENCH_JSON=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it can clean up its children and files
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	rows, err := readRows(out, os.Stderr)
	return rows, errors.Join(err, cmd.Wait())
}

func readRows(from io.Reader, others io.Writer) ([]measure.Row, error) {
	var rows []measure.Row
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row measure.Row
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil || row.What == "" {
			fmt.Fprintf(others, "%s\n", lines.Bytes())
			continue
		}
		rows = append(rows, row)
	}
	return rows, lines.Err()
}
