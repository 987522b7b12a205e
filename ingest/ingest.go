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
	"time"

	"github.com/warpstreamlabs/bento/public/service"
	"golang.org/x/sys/unix"

	"tkit/access"
	"tkit/catalog"
	"tkit/ingest/classify"
	"tkit/ingest/components"
	"tkit/ingest/deadletter"
	"tkit/ingest/definition"
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
}

// grace is how long the images in flight may take when a run is stopped. What is not
// delivered then is delivered by the next run.
const grace = 30 * time.Second

// Lint returns the mistakes in the file of a pipeline.
func Lint(ctx context.Context, file string) (definition.Report, error) {
	return definition.Lint(ctx, file)
}

// A Summary says what a run has done.
type Summary struct {
	Pipeline  string `json:"pipeline"`
	Delivered int64  `json:"delivered"` // images that every output has
	Dead      int64  `json:"dead_letters"`
	// DeadLetters is the folder of dead letters.
	DeadLetters string `json:"dead_letter_folder"`
}

// WriteText writes the summary as a line.
func (s Summary) WriteText(w io.Writer) error {
	_, err := printable.Fprintf(w, "images delivered: %d; dead letters: %d, in %s\n", s.Delivered, s.Dead, s.DeadLetters)
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
	s := Summary{Pipeline: d.Name, DeadLetters: filepath.Join(state(o, d), "dead")}
	if d.DeadLetters != "" {
		s.DeadLetters = (&components.Run{Folder: filepath.Dir(o.File)}).Path(d.DeadLetters)
	}
	err = run(ctx, o, d, s.DeadLetters)
	s.Delivered, s.Dead = o.Counters.Delivered.Load(), o.Counters.Dead.Load()
	if err != nil {
		err = fmt.Errorf("ingest: %w", err)
	}
	return s, err
}

// state is the folder in the home with the pipeline's own files.
func state(o Options, d *definition.Definition) string {
	return filepath.Join(o.Home, "ingest", d.Name)
}

// run runs a pipeline that keeps its dead letters in a folder.
func run(ctx context.Context, o Options, d *definition.Definition, dead string) (err error) {
	unlock, err := lock(state(o, d), o.Replay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r := &components.Run{
		Folder: filepath.Dir(o.File), State: state(o, d), Once: o.Once,
		Attempts: d.Attempts, InFlight: d.InFlight, Log: o.Log, Counters: o.Counters,
	}
	if r.Letters, err = deadletter.Open(dead); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Letters.Close()) }()
	defer func() { err = errors.Join(err, r.Close()) }()
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r.Fail = fail
	if len(d.Models) > 0 {
		e, err := classify.Open(running, classify.Options{Catalog: o.Catalog, Caller: o.Caller, Models: d.Models, Plugins: o.Plugins, Log: o.Log})
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
	if err := runStream(running, stream); err != nil {
		return err
	}
	if cause := context.Cause(running); cause != nil && ctx.Err() == nil {
		return cause
	}
	return nil
}

// lock makes the folder of a pipeline's state and reserves it for this process: for its
// run or for its replay.
func lock(state string, replay bool) (unlock func() error, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	name := "run"
	if replay {
		name = "replay"
	}
	f, err := os.OpenFile(filepath.Join(state, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("a %s of the pipeline %s is in progress already", name, filepath.Base(state))
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

func build(d *definition.Definition, r *components.Run, o Options) (*service.Stream, error) {
	env := service.NewEnvironment()
	err := errors.Join(components.Register(env, r), components.RegisterDelivery(env, r), components.RegisterReplay(env, r))
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
	if err := b.SetYAML(config); err != nil {
		return nil, err
	}
	return b.Build()
}

// runStream runs a stream to its end. When ctx ends, the stream stops after the images
// in flight.
func runStream(ctx context.Context, s *service.Stream) error {
	err := s.Run(ctx)
	if ctx.Err() == nil {
		return err
	}
	return s.StopWithin(grace)
}
