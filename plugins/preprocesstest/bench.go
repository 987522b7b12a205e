package preprocesstest

import (
	"context"
	"errors"
	"slices"
	"time"

	"tkit/plugins"
	"tkit/plugins/host"
)

// Times is how long a plugin takes, as its host sees it. Durations are in
// nanoseconds where they are written as JSON.
type Times struct {
	Plugin string `json:"plugin"`
	// Batch says what was sent, in batches of Images.
	Batch  string `json:"batch"`
	Images int    `json:"images"`
	// Starts are from the start of a process to its first answer, to one image.
	Starts []time.Duration `json:"starts"`
	// Shared and GRPC are for a batch each, with its pixels or files in shared
	// memory and in messages. Shared is empty where a side has no such memory.
	Shared []time.Duration `json:"shared_memory"`
	GRPC   []time.Duration `json:"grpc"`
}

// benchTurn is how long each way is measured, after a tenth of it to warm up.
const benchTurn = 2 * time.Second

// Bench measures a plugin, which open starts with the configuration that it is
// given, on batches of so many images, of 224×224×3 where it takes any.
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

// start measures how long a process takes to come up.
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
