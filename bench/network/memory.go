package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"tkit/bench/measure"
	"tkit/inference"
)

// memory measures the resident set of a process of its own that serves.
func memory(ctx context.Context, file string, batch int) (measure.Row, error) {
	self, err := os.Executable()
	if err != nil {
		return measure.Row{}, err
	}
	cmd := exec.CommandContext(ctx, self, "-resident", file, "-batch", strconv.Itoa(batch))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return measure.Row{}, fmt.Errorf("process that serves: %w", err)
	}
	var idle, peak float64
	if _, err := fmt.Sscan(string(out), &idle, &peak); err != nil {
		return measure.Row{}, fmt.Errorf("process that serves: %q: %w", out, err)
	}
	return measure.Row{
		What: fmt.Sprintf("peak resident set, ResNet-50 serving batches of %d", batch), Against: "600 MB",
		Measured: peak, Unit: "MB", Ratio: peak / 600, Target: 1, AtMost: true,
		Note: fmt.Sprintf("%.0f MB before loading", idle),
	}, nil
}

// serve loads the network, runs it, and prints the resident set before and at
// its peak in MB.
func serve(ctx context.Context, file string, batch int) error {
	idle, err := measure.Memory(measure.Resident)
	if err != nil {
		return err
	}
	run, closeRun, err := comparison{file: file}.openPlain(inference.FP32)
	if err != nil {
		return err
	}
	defer closeRun()
	x := images(batch)
	for range 30 {
		if err := run(ctx, x); err != nil {
			return err
		}
	}
	peak, err := measure.Memory(measure.LargestResident)
	if err != nil {
		return err
	}
	_, err = fmt.Println(idle, peak)
	return err
}
