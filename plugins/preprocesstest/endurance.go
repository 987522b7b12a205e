package preprocesstest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"tkit/plugins"
)

// grace is how long a preprocessor may continue with an abandoned batch; it is
// the host's default. patience is how long it is watched, in addition to the
// time of a small batch: a busy machine is not its fault.
const (
	grace    = 2 * time.Second
	patience = 5 * time.Second
)

// cancels: Process returns soon after its context ends, and the same process
// answers the next batch.
func (t *trial) cancels() error {
	in, err := t.batch(32, 2, 5)
	if err != nil {
		return err
	}
	small, err := t.batch(4, 2, 6)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := t.answer(small); err != nil {
		return err
	}
	allowed := patience + time.Since(began)
	before, longest := t.pids(), time.Duration(0)
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		wentOn, err := t.giveUp(in, small, after, allowed)
		if err != nil {
			return err
		}
		longest = max(longest, wentOn)
	}
	if now := t.pids(); longest > allowed || !slices.Equal(now, before) {
		return goesOn(allowed)
	}
	if longest > grace {
		t.note = fmt.Sprintf("it continued with an abandoned batch for %v; tkit kills processes that do so for more than %v", longest.Round(time.Millisecond), grace)
	}
	return nil
}

func goesOn(by time.Duration) error {
	return fmt.Errorf("it continues with an abandoned batch for more than %v: check the context between images", by.Round(time.Millisecond))
}

// giveUp abandons a batch and returns how much later the next result came.
func (t *trial) giveUp(in, next plugins.Batch, after, allowed time.Duration) (wentOn time.Duration, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, after)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				ended <- fmt.Errorf("it panics: %v", r)
			}
		}()
		_, err := t.Process(ctx, t.Config, in)
		ended <- err
	}()
	<-ctx.Done()
	at := time.Now()
	select {
	case err = <-ended:
	case <-time.After(allowed):
		return 0, goesOn(allowed)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return 0, fmt.Errorf("an abandoned batch: %w", err)
	}
	if _, err := t.answer(next); err != nil {
		return 0, fmt.Errorf("after an abandoned batch: %w", err)
	}
	return time.Since(at), nil
}

func (t *trial) pids() []int {
	if t.Plugin == nil {
		return nil
	}
	return t.Plugin.PIDs()
}

// allowance is how much memory may grow between two measurements: garbage is
// not collected at once.
const allowance = 48 << 20

// leaks: many batches use no more memory and goroutines than few.
func (t *trial) leaks() error {
	var batches []plugins.Batch
	for variant := range variants {
		b, err := t.batch(4, variant, uint64(20+variant))
		if err != nil {
			return err
		}
		batches = append(batches, b)
	}
	send := func(rounds int) error {
		for i := range rounds {
			if _, err := t.answer(batches[i%len(batches)]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send(t.Rounds / 3); err != nil { // warm-up
		return err
	}
	memory, goroutines := t.taken()
	crashes := t.crashes()
	if err := send(t.Rounds); err != nil {
		return err
	}
	after, goroutinesAfter := t.taken()
	if n := t.crashes() - crashes; n > 0 {
		return fmt.Errorf("its process ended %d times in %d batches: it may have exceeded its memory limit", n, t.Rounds)
	}
	if grown := after - memory; grown > allowance {
		return fmt.Errorf("it uses %d MB more after %d batches: it leaks memory", grown>>20, t.Rounds)
	}
	if grown := goroutinesAfter - goroutines; grown > 8 {
		return fmt.Errorf("%d more goroutines run after %d batches", grown, t.Rounds)
	}
	t.note = fmt.Sprintf("%d MB after %d batches", after>>20, t.Rounds)
	return nil
}

func (t *trial) crashes() int64 {
	if t.Plugin == nil {
		return 0
	}
	return t.Plugin.Stats().Crashes
}

// taken returns the memory in use and, in-process, the number of goroutines.
func (t *trial) taken() (memory int64, goroutines int) {
	if t.Plugin != nil {
		return t.Plugin.Memory(), 0
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}

// quiet: nothing is printed to standard output for a batch.
func (t *trial) quiet() error {
	if t.Printed == nil {
		t.skipped = "only a separate process has a standard output"
		return nil
	}
	in, err := t.batch(1, 0, 7)
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := t.answer(in); err != nil {
			return err
		}
	}
	if n := t.Printed(); n > 0 {
		return fmt.Errorf("it printed %d lines to standard output, which a server would keep logging: print only messages for the operator, to standard error", n)
	}
	return nil
}

// speed reports the time per image. It cannot fail: there is no required speed.
func (t *trial) speed() error {
	const batchOf = 8
	in, err := t.batch(batchOf, 2, 8)
	if err != nil {
		return err
	}
	var took []time.Duration
	for began := time.Now(); len(took) < 3 || time.Since(began) < time.Second && len(took) < 200; {
		at := time.Now()
		if _, err := t.answer(in); err != nil {
			return err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	median := took[len(took)/2] / batchOf
	t.note = fmt.Sprintf("%.3f ms per image, in batches of %s", float64(median.Nanoseconds())/1e6, describe(in))
	return nil
}
