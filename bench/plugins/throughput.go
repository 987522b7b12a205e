package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/bench/served"
	"tkit/internal/preprocessing"
	"tkit/plugins/store"
)

// throughput measures two models of one server that differ in the plugin step.
func throughput(ctx context.Context, s store.Store, i store.Installed, o options) (_ []measure.Row, err error) {
	images, err := photographs.Images(1, o.images)
	if err != nil {
		return nil, err
	}
	m, err := served.New(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := os.CopyFS(filepath.Join(m.Home, "plugins"), os.DirFS(s.Folder())); err != nil {
		return nil, err
	}
	const plugged = served.Name + "-plugged"
	step, err := store.In(m.Home).Pin(preprocessing.Plugin{Name: i.Name})
	if err != nil {
		return nil, err
	}
	p := m.Manifest.Preprocessing
	p.Steps = slices.Insert(slices.Clone(p.Steps), 1, preprocessing.Step{Plugin: &step})
	if _, err := m.Register(ctx, plugged, p); err != nil {
		return nil, err
	}
	server, err := served.Start(ctx, m.Home, 8)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	flood := func(model string) func() (float64, error) {
		return func() (float64, error) {
			return server.Flood(ctx, model, images, 8, time.Duration(o.seconds)*time.Second)
		}
	}
	with, without, ratio, err := measure.Interleave(o.rounds, flood(plugged), flood(served.Name))
	return []measure.Row{{
		What: "classify-image with a plugin that does nothing, 8 clients, ResNet-50 fp32", Against: "without the plugin",
		Measured: with, Reference: without, Unit: "images/s", Ratio: ratio, Target: 0.95,
		Note: fmt.Sprintf("the step follows the decoding; %d photographs", len(images)),
	}}, err
}
