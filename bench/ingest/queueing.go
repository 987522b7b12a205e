package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"tkit/bench/measure"
	"tkit/ingest"
	"tkit/ingest/components"
)

const (
	mostMemory = 300.0 // MB
	delivered  = 1000  // images before the pipeline stops
)

// queueing measures the memory of a pipeline with many files before it.
func queueing(ctx context.Context, dir string, files int) (measure.Row, error) {
	work := filepath.Join(dir, "queue")
	if err := fill(filepath.Join(work, "in"), files, 100); err != nil {
		return measure.Row{}, err
	}
	if err := os.Mkdir(filepath.Join(work, "home"), 0o700); err != nil {
		return measure.Row{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return measure.Row{}, err
	}
	cmd := exec.CommandContext(ctx, program, "-child", work)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return measure.Row{}, err
	}
	var idle, largest float64
	if _, err := fmt.Sscan(string(out), &idle, &largest); err != nil {
		return measure.Row{}, err
	}
	added := largest - idle
	return measure.Row{
		What: fmt.Sprintf("memory that a pipeline with %d files in its folder adds", files), Against: fmt.Sprintf("%.0f MB", mostMemory),
		Measured: added, Reference: mostMemory, Unit: "MB", Ratio: added / mostMemory, Target: 1, AtMost: true,
		Note: fmt.Sprintf("to %.0f MB of the idle process, nearly all of it the mapped file of libtensorflow", idle),
	}, nil
}

// queue runs a pipeline until the folder was read once and some images are delivered,
// and prints the resident memory of the process in MB: before it, and the largest.
func queue(ctx context.Context, work string) (err error) {
	debug.SetGCPercent(50) // as in cmd/tkit
	idle, err := measure.Memory(measure.Resident)
	if err != nil {
		return err
	}
	p, err := newPipeline(ctx, filepath.Join(work, "home"), work, "name: queue\ninput: {tkit_directory: {path: in, settle: 1ms}}\noutput: {tkit_folder: {path: out}}\n")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	counters := &components.Counters{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for counters.Delivered.Load() < delivered && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
	}()
	_, err = ingest.Run(ctx, ingest.Options{
		Home: p.home, File: p.file, Catalog: p.catalog, Caller: p.caller, Log: slog.New(slog.DiscardHandler), Counters: counters,
	})
	if err != nil {
		return err
	}
	largest, err := measure.Memory(measure.LargestResident)
	if err != nil {
		return err
	}
	_, err = fmt.Println(idle, largest)
	return err
}
