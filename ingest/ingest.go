// Package ingest runs pipelines: streams of images that are read, classified and
// written to sinks, as a YAML file says.
//
// The engine for streams is Bento; its types stay in this package and those below it.
// An image is acknowledged to its input when every output has it or when it is a dead
// letter. Outputs are keyed by the SHA-256 of the image, so that a repeated delivery
// changes nothing.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/access"
	"tkit/catalog"
	"tkit/ingest/classify"
	"tkit/ingest/components"
	"tkit/ingest/deadletter"
	"tkit/ingest/definition"
	"tkit/ingest/graph"
	"tkit/ingest/kafka"
	"tkit/ingest/status"
	"tkit/internal/pipeline"
	"tkit/internal/printable"
)

// Options select a pipeline and the principal that runs it.
type Options struct {
	Home string
	File string // of the pipeline
	Once bool   // end when everything that exists is delivered
	// Replay runs the pipeline once on its dead letters instead of its input. Those
	// that are delivered are removed. The pipeline may be running too.
	Replay bool

	Catalog *catalog.Catalog
	Caller  access.Caller
	Plugins pipeline.Plugins
	Log     *slog.Logger
	// Counters are kept up to date during the run. They may be nil.
	Counters *components.Counters
	// Metrics is the address of an HTTP server for /metrics, /livez and /readyz during
	// the run, such as "127.0.0.1:9400". "" means none.
	Metrics string
	// Progress is called once a second with what to tell a user in one line. It may be
	// nil.
	Progress func(line string)
}

// grace is how long the images in flight may take when a run is stopped. What is not
// delivered then is delivered by the next run.
const grace = 30 * time.Second

// failedGrace is that time if the run has failed. Then an image may wait for an output
// that it will never reach.
const failedGrace = time.Second

// Lint returns the mistakes in the file of a pipeline.
func Lint(ctx context.Context, file string) (definition.Report, error) {
	return definition.Lint(ctx, file)
}

// Graph returns the graph of a pipeline.
func Graph(ctx context.Context, file string) (*graph.Graph, error) {
	d, err := definition.Read(ctx, file)
	if err != nil {
		return nil, err
	}
	return d.Graph, nil
}

// A Summary says what a run has done.
type Summary struct {
	Pipeline  string `json:"pipeline"`
	Delivered int64  `json:"delivered"` // images that every output has
	Dead      int64  `json:"dead_letters"`
	// DeadLetters is the folder of dead letters, "" if they are in a topic.
	DeadLetters     string `json:"dead_letter_folder"`
	DeadLetterTopic string `json:"dead_letter_topic,omitempty"` // of Kafka
}

// WriteText writes the summary as a line.
func (s Summary) WriteText(w io.Writer) error {
	place := s.DeadLetters
	if s.DeadLetterTopic != "" {
		place = "the topic " + s.DeadLetterTopic
	}
	_, err := printable.Fprintf(w, "images delivered: %d; dead letters: %d, in %s\n", s.Delivered, s.Dead, place)
	return err
}

// Run runs a pipeline until ctx ends or its input does. When ctx ends, the images in
// flight are delivered first, and the error is nil.
func Run(ctx context.Context, o Options) (Summary, error) {
	d, err := definition.Read(ctx, o.File)
	if err != nil {
		return Summary{}, err
	}
	if o.Counters == nil {
		o.Counters = &components.Counters{}
	}
	s := Summary{Pipeline: d.Name, DeadLetters: filepath.Join(status.Folder(o.Home, d.Name, 1), "dead")}
	if d.DeadLetters != "" {
		s.DeadLetters = (&components.Run{Folder: filepath.Dir(o.File)}).Path(d.DeadLetters)
	}
	if d.DeadLetterTopic != nil {
		d.DeadLetterTopic.Folder, d.DeadLetterTopic.Log = s.DeadLetters, o.Log
		s.DeadLetters, s.DeadLetterTopic = "", d.DeadLetterTopic.Topic
	}
	err = run(ctx, o, d, s)
	s.Delivered, s.Dead = o.Counters.Delivered.Load(), o.Counters.Dead.Load()
	if err != nil {
		err = fmt.Errorf("ingest: %w", err)
	}
	return s, err
}

// run runs a pipeline that keeps its dead letters in the folder of the summary.
func run(ctx context.Context, o Options, d *definition.Definition, s Summary) (err error) {
	process, unlock, err := lock(o, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r := &components.Run{
		Name: d.Name, Folder: filepath.Dir(o.File), State: status.Folder(o.Home, d.Name, process), Process: process, Once: o.Once,
		Attempts: d.Attempts, InFlight: d.InFlight, OrderedBy: d.OrderedBy, Log: o.Log, Counters: o.Counters, Metrics: components.NewMetrics(d.Name, d.Groups, o.Counters),
	}
	if r.Letters, err = openLetters(d, s); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Letters.Close()) }()
	defer func() { err = errors.Join(err, r.Close()) }()
	var checking sync.WaitGroup
	defer checking.Wait()
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r.Fail, r.Stopped = fail, running.Done()
	if topic, is := r.Letters.(*kafka.Letters); is {
		checking.Go(func() {
			if err := topic.Check(running); err != nil {
				fail(err)
			}
		})
	}
	started := func() {}
	if !o.Replay { // its run may be in progress, and keeps the status
		ob, err := observe(ctx, o, r, d.Graph, s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ob.close(err)) }()
		started = func() { ob.ready.Store(true) }
	}
	if len(d.Models) > 0 {
		e, err := classify.Open(running, classify.Options{Catalog: o.Catalog, Caller: o.Caller, Models: d.Models, Plugins: o.Plugins, Keep: d.Keep, Log: o.Log})
		if err != nil {
			return err
		}
		defer e.Close()
		r.Classify = e.Classify
	}
	stream, err := build(d, r, o)
	if err != nil {
		return err
	}
	o.Log.InfoContext(ctx, "running", "pipeline", d.Name)
	started()
	err = runStream(running, stream)
	if cause := context.Cause(running); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// openLetters opens the dead letters of a pipeline.
func openLetters(d *definition.Definition, s Summary) (components.Letters, error) {
	if d.DeadLetterTopic == nil {
		return deadletter.Open(s.DeadLetters)
	}
	return kafka.OpenLetters(*d.DeadLetterTopic)
}

// lock makes the folder of a pipeline's state and reserves it for this process: for its
// run or for its replay. A run of a pipeline that several processes share takes the
// first folder that is free, and is that process.
func lock(o Options, d *definition.Definition) (process int, unlock func() error, err error) {
	name := status.RunLock
	if o.Replay {
		name = status.ReplayLock
	}
	for process = 1; ; process++ {
		folder := status.Folder(o.Home, d.Name, process)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return 0, nil, err
		}
		unlock, err = status.Lock(folder, name)
		if !errors.Is(err, status.ErrLocked) {
			return process, unlock, err
		}
		if o.Replay || !d.Shared {
			return 0, nil, fmt.Errorf("a %s of the pipeline %s is %w", name, d.Name, err)
		}
	}
}

func build(d *definition.Definition, r *components.Run, o Options) (*service.Stream, error) {
	env := service.NewEnvironment()
	err := errors.Join(components.Register(env, r), components.RegisterDelivery(env, r), components.RegisterFanOut(env, r), components.RegisterReplay(env, r), components.RegisterMetrics(env, r.Metrics))
	if err != nil {
		return nil, err
	}
	config := d.Engine
	if o.Replay {
		if config, err = d.Replay(); err != nil {
			return nil, err
		}
	}
	b := env.NewStreamBuilder()
	b.SetLogger(slog.New(engineLog{o.Log.Handler()}))
	if err := errors.Join(b.SetYAML(config), b.SetMetricsYAML(components.MetricsConfig)); err != nil {
		return nil, err
	}
	return b.Build()
}

// runStream runs a stream to its end. When ctx ends, the stream stops after the images
// in flight.
func runStream(ctx context.Context, s *service.Stream) error {
	err := s.Run(ctx)
	switch {
	case ctx.Err() == nil:
		return err
	case context.Cause(ctx) != ctx.Err():
		return s.StopWithin(failedGrace)
	}
	return s.StopWithin(grace)
}
