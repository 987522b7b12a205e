package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/bench/measure"
	"tkit/plugins/host"
	"tkit/plugins/store"
)

// load is the result of sending batches without pause.
type load struct {
	took  []float64 // ms, each batch
	rate  float64   // batches a second
	kills int64
}

// killed sends batches through two processes of a plugin while one of them is
// killed each second, alternating with the same undisturbed.
func killed(ctx context.Context, s store.Store, i store.Installed, o options) (_ []measure.Row, err error) {
	p, err := s.Open(ctx, i, host.Config{Processes: 2, Audit: -1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	var slow, kills, batches int64
	calm, disturbed := load{}, load{}
	turn := func(killEach time.Duration, into *load) func() (float64, error) {
		return func() (float64, error) {
			var err error
			*into, err = send(ctx, p, time.Duration(o.seconds)*time.Second, killEach)
			return into.rate, err
		}
	}
	retried := p.Stats().Retried
	undisturbed := turn(0, &calm)
	rate, reference, ratio, err := measure.Interleave(o.rounds, turn(time.Second, &disturbed),
		func() (float64, error) {
			r, err := undisturbed()
			usual := measure.Median(calm.took)
			for _, took := range disturbed.took {
				if took > usual+slower {
					slow++
				}
			}
			kills, batches = kills+disturbed.kills, batches+int64(len(disturbed.took))
			return r, err
		})
	if err != nil {
		return nil, err
	}
	retried = p.Stats().Retried - retried
	return []measure.Row{{
		What: "batches of 8, a process of two killed each second", Against: "undisturbed",
		Measured: rate, Reference: reference, Unit: "batches/s", Ratio: ratio, Target: 0.90,
		Note: fmt.Sprintf("%d kills, %d batches, no wrong results", kills, batches),
	}, {
		What: "batches that took 50 ms longer than usual", Against: "batches sent again",
		Measured: float64(slow), Reference: float64(retried), Unit: "batches", Ratio: float64(slow) / float64(max(1, retried)), Target: 1, AtMost: true,
		Note: fmt.Sprintf("of %d", batches),
	}}, nil
}

// slower is the delay above the median, in ms, from which a batch counts as
// slow: half of what a process takes to start.
const slower = 50

// senders is the number of processes.
const senders = 2

// send makes each sender send batches one after the other, and compares the
// results with what was sent.
func send(ctx context.Context, p *host.Plugin, turn, killEach time.Duration) (load, error) {
	var l load
	var number atomic.Uint64
	var each [senders][]float64
	begun := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for n := range senders {
		group.Go(func() error {
			for time.Since(begun) < turn {
				in := numbered(8, number.Add(1))
				at := time.Now()
				out, err := p.Process(ctx, nil, in)
				if err != nil {
					return err
				}
				each[n] = append(each[n], ms(time.Since(at)))
				if !out.Equal(in) {
					return errors.New("wrong result for a batch")
				}
			}
			return nil
		})
	}
	if killEach > 0 {
		group.Go(func() error {
			for at := begun.Add(killEach / 2); at.Before(begun.Add(turn)); at = at.Add(killEach) {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Until(at)):
				}
				if pids := p.PIDs(); len(pids) > 0 && syscall.Kill(pids[0], syscall.SIGKILL) == nil {
					l.kills++
				}
			}
			return nil
		})
	}
	err := group.Wait()
	for _, took := range each {
		l.took = append(l.took, took...)
	}
	l.rate = float64(len(l.took)) / time.Since(begun).Seconds()
	return l, err
}
