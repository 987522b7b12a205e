// Plugins measures the cost of a plugin: the time for a batch of 32 images of
// 224×224×3 bytes through a plugin that does nothing, in addition to the same
// call within the process, by shared memory and by gRPC; the time from the
// start of a process to its first result, in Go and in Python, both as
// installed; the throughput of classify-image with and without a plugin step
// that does nothing after decoding, with requests alternating between two
// models of one server; and batches through two processes of which one is
// killed each second, alternating with the same undisturbed, where every result
// is verified.
//
//	go run ./bench/plugins
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"tkit/bench/measure"
	"tkit/plugins/host"
	"tkit/plugins/store"
)

type options struct {
	rounds, seconds int
	images          int
	python, wheels  string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "counted rounds")
	flag.IntVar(&o.seconds, "seconds", 6, "length of each turn")
	flag.IntVar(&o.images, "images", 64, "photographs to classify")
	flag.StringVar(&o.python, "python", ".deps/python/bin/python", "interpreter of the Python plugin")
	flag.StringVar(&o.wheels, "wheels", ".deps/wheels", "folder with its packages")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/plugins:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	home, err := os.MkdirTemp("", "bench-plugins")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	s := store.In(home)
	golang, err := installGo(ctx, s, home)
	if err != nil {
		return err
	}
	python, err := s.Install(ctx, "bench/plugins/identity-python", store.Options{Python: o.python, Wheels: o.wheels})
	if err != nil {
		return err
	}
	var rows []measure.Row
	for _, part := range []func() ([]measure.Row, error){
		func() ([]measure.Row, error) { return overhead(ctx, s, golang, o) },
		func() ([]measure.Row, error) { return starts(ctx, s, golang, python, o) },
		func() ([]measure.Row, error) { return throughput(ctx, s, golang, o) },
		func() ([]measure.Row, error) { return killed(ctx, s, golang, o) },
	} {
		more, err := part()
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	return measure.Print(rows...)
}

// installGo builds and installs the plugin in Go.
func installGo(ctx context.Context, s store.Store, dir string) (store.Installed, error) {
	program := filepath.Join(dir, "identity")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "./bench/plugins/identity")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return store.Installed{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return s.Install(ctx, program, store.Options{})
}

// alone is one process without audits.
var alone = host.Config{Processes: 1, Audit: -1}

// starts measures the time from the start of a process to its first result.
func starts(ctx context.Context, s store.Store, golang, python store.Installed, o options) ([]measure.Row, error) {
	var rows []measure.Row
	for _, c := range []struct {
		language string
		plugin   store.Installed
		target   float64
	}{{"Go", golang, 100}, {"Python", python, 1000}} {
		var took []float64
		for range 2*o.rounds + 1 {
			begun := time.Now()
			p, err := s.Open(ctx, c.plugin, alone)
			if err != nil {
				return nil, err
			}
			_, err = p.Process(ctx, nil, numbered(1, 0))
			took = append(took, ms(time.Since(begun)))
			if err := errors.Join(err, p.Close()); err != nil {
				return nil, err
			}
		}
		median := measure.Median(took[1:])
		rows = append(rows, measure.Row{
			What: "plugin in " + c.language + ", start to first result", Against: "nothing",
			Measured: median, Unit: "ms", Ratio: median, Target: c.target, AtMost: true,
			Note: "including the check of its digest; the ratio is in ms",
		})
	}
	return rows, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
