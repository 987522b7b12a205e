package preprocesstest

import (
	"context"
	"errors"
	"slices"
	"time"

	"tkit/plugins"
	"tkit/plugins/host"
)

// Times holds a plugin's times as measured by its host. Durations are in
// nanoseconds in JSON.
type Times struct {
	Plugin string `json:"plugin"`
	// Batch describes the batches sent, of Images each.
	Batch  string `json:"batch"`
	Images int    `json:"images"`
	// Starts are the times from the start of a process to its first result, for
	// one image.
	Starts []time.Duration `json:"starts"`
	// Shared and GRPC are the times of a batch, with its data in shared memory
	// and in messages. Shared is empty if shared memory is not supported.
	Shared []time.Duration `json:"shared_memory"`
	GRPC   []time.Duration `json:"grpc"`
}

// benchTurn is how long each transport is measured, after a tenth of it for
// warm-up.
const benchTurn = 2 * time.Second

// Bench measures a plugin, which open starts with the given configuration, on
// batches of the given number of images, of 224×224×3 if it accepts any size.
func Bench(ctx context.Context, open func(host.Config) (*host.Plugin, error), o Options, images int) (Times, error) {
	t := Times{Images: images}
	for range 5 {
		if err := t.start(ctx, open, o); err != nil {
			return t, err
		}
	}
	slices.Sort(t.Starts)
	for _, way := range []struct {
		noMemory bool
		took     *[]time.Duration
	}{{false, &t.Shared}, {true, &t.GRPC}} {
		if err := t.way(ctx, open, o, way.noMemory, way.took); err != nil {
			return t, err
		}
	}
	return t, nil
}

// start measures how long a process takes to start.
func (t *Times) start(ctx context.Context, open func(host.Config) (*host.Plugin, error), o Options) error {
	began := time.Now()
	p, err := open(host.Config{Processes: 1, Audit: -1})
	if err != nil {
		return err
	}
	t.Plugin = p.Describe().String()
	with, err := p.With(o.Config)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	in, err := trialOf(ctx, p, o).batch(1, 2, 1)
	if err == nil {
		_, err = with.Process(ctx, in)
	}
	t.Starts = append(t.Starts, time.Since(began))
	return errors.Join(err, p.Close())
}

// way measures batches one after the other.
func (t *Times) way(ctx context.Context, open func(host.Config) (*host.Plugin, error), o Options, noMemory bool, took *[]time.Duration) (err error) {
	p, err := open(host.Config{Processes: 1, Audit: -1, NoSharedMemory: noMemory})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if !noMemory && !p.SharesMemory() {
		return nil
	}
	in, err := trialOf(ctx, p, o).batch(t.Images, 2, 1)
	if err != nil {
		return err
	}
	t.Batch = describe(in)
	warm := false
	for began := time.Now(); time.Since(began) < benchTurn || len(*took) < 3; {
		if !warm && time.Since(began) > benchTurn/10 {
			warm, *took, began = true, nil, time.Now()
		}
		at := time.Now()
		if _, err := p.Process(ctx, o.Config, in); err != nil {
			return err
		}
		*took = append(*took, time.Since(at))
	}
	slices.Sort(*took)
	return nil
}

// trialOf makes the batches.
func trialOf(ctx context.Context, p plugins.Preprocessor, o Options) *trial {
	return &trial{Subject: Subject{Preprocessor: p}, Options: o, ctx: ctx, description: p.Describe()}
}
