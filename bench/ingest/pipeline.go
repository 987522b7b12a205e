package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

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
	first := make(chan time.Time, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for counters.Read.Load() == 0 && watching.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		first <- time.Now()
	}()
	s, err := ingest.Run(ctx, ingest.Options{
		Home: p.home, File: p.file, Once: true, Catalog: p.catalog, Caller: p.caller, Log: slog.New(slog.DiscardHandler), Counters: counters,
	})
	ended := time.Now()
	stop()
	if err == nil && s.Delivered != int64(images) {
		err = fmt.Errorf("%d of %d images were delivered", s.Delivered, images)
	}
	return float64(images) / ended.Sub(<-first).Seconds(), err
}

// forget removes what earlier runs have left in the home.
func (p *pipeline) forget() error { return os.RemoveAll(filepath.Join(p.home, "ingest")) }
