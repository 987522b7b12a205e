package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"tkit/access"
	"tkit/catalog"
	"tkit/ingest"
	"tkit/ingest/components"
)

// A pipeline is one of the home, run as the account of this process.
type pipeline struct {
	home, file string
	catalog    *catalog.Catalog
	caller     access.Caller
	processor  time.Duration // of this process, for an image of the last run
}

// newPipeline writes the file of a pipeline.
func newPipeline(ctx context.Context, home, dir, text string) (*pipeline, error) {
	p := &pipeline{home: home, file: filepath.Join(dir, "pipeline.yaml")}
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var err error
	if p.caller, err = catalog.Self(""); err != nil {
		return nil, err
	}
	p.catalog, err = catalog.Open(ctx, catalog.Options{Home: home})
	return p, err
}

func (p *pipeline) close() error { return p.catalog.Close() }

// run delivers what exists, and returns the images a second from the first one that is
// read. An image that is not delivered is an error.
func (p *pipeline) run(ctx context.Context, images int) (float64, error) {
	counters := &components.Counters{}
	type start struct {
		at        time.Time
		processor time.Duration
	}
	first := make(chan start, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for counters.Read.Load() == 0 && watching.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		first <- start{time.Now(), processorTime()}
	}()
	s, err := ingest.Run(ctx, ingest.Options{
		Home: p.home, File: p.file, Once: true, Catalog: p.catalog, Caller: p.caller, Log: slog.New(slog.DiscardHandler), Counters: counters,
	})
	ended := start{time.Now(), processorTime()}
	stop()
	if err == nil && s.Delivered != int64(images) {
		err = fmt.Errorf("%d of %d images were delivered", s.Delivered, images)
	}
	begun := <-first
	p.processor = (ended.processor - begun.processor) / time.Duration(images)
	return float64(images) / ended.at.Sub(begun.at).Seconds(), err
}

// processorTime is what this process has used, 0 if that is not known.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// forget removes what earlier runs have left in the home.
func (p *pipeline) forget() error { return os.RemoveAll(filepath.Join(p.home, "ingest")) }
