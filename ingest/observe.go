package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tkit/ingest/components"
	"tkit/ingest/graph"
	"tkit/ingest/status"
)

// statusEvery is the interval at which a run writes its status.
const statusEvery = time.Second

// An observer keeps the status of a run up to date, and serves its metrics.
type observer struct {
	options Options
	folder  string // of the pipeline's state
	metrics *components.Metrics
	viewer  *viewer
	first   status.Status // what does not change
	ready   atomic.Bool
	server  *http.Server // nil without metrics
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// observe begins to observe a run. The caller closes the observer.
func observe(ctx context.Context, o Options, r *components.Run, g *graph.Graph, s Summary) (_ *observer, err error) {
	file, err := filepath.Abs(o.File)
	if err != nil {
		return nil, err
	}
	ob := &observer{options: o, folder: r.State, metrics: r.Metrics, first: status.Status{
		Pipeline: s.Pipeline, Process: r.Process, File: file, Principal: string(o.Caller.Principal), Started: time.Now().UTC(), DeadLetters: s.DeadLetters,
		DeadLetterTopic: s.DeadLetterTopic,
	}}
	if ob.viewer, err = newViewer(r.State, o.Counters, g); err != nil {
		return nil, err
	}
	ctx, ob.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			ob.stop()
			err = errors.Join(err, ob.viewer.close())
		}
	}()
	if err := status.WriteView(ob.folder, ob.viewer.view); err != nil {
		return nil, err
	}
	if o.Metrics != "" {
		if err := ob.serve(ctx, r.Metrics); err != nil {
			return nil, err
		}
	}
	if err := status.Write(ob.folder, ob.now()); err != nil {
		return nil, errors.Join(err, ob.closeServer())
	}
	ob.tasks.Go(func() { ob.write(ctx) })
	return ob, nil
}

// serve starts the HTTP server.
func (ob *observer) serve(ctx context.Context, m *components.Metrics) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ob.options.Metrics)
	if err != nil {
		return err
	}
	ob.first.Metrics = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Gatherer(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ob.ready.Load() {
			http.Error(w, "the pipeline is starting or ending", http.StatusServiceUnavailable)
		}
	})
	ob.server = &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(ob.options.Log.Handler(), slog.LevelDebug),
	}
	ob.tasks.Go(func() {
		if err := ob.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			ob.options.Log.Error("the metrics cannot be served any more", "error", err)
		}
	})
	return nil
}

// write writes the status until ctx ends.
func (ob *observer) write(ctx context.Context) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	last := ob.first
	last.Updated = ob.first.Started
	failed := ""
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		s := ob.now()
		if err := errors.Join(status.Write(ob.folder, s), ob.viewer.write(ctx)); err != nil && err.Error() != failed {
			failed = err.Error() // once, because a full disk stays full for a while
			ob.options.Log.Warn("the status cannot be written", "error", err)
		}
		if ob.options.Progress != nil {
			ob.options.Progress(s.Line(float64(s.Delivered-last.Delivered) / s.Updated.Sub(last.Updated).Seconds()))
		}
		last = s
	}
}

// now returns the current status.
func (ob *observer) now() status.Status {
	s, c := ob.first, ob.options.Counters
	s.Updated = time.Now().UTC()
	s.Read, s.Delivered, s.FailedAttempts, s.Dead = c.Read.Load(), c.Delivered.Load(), c.Failed.Load(), c.Dead.Load()
	s.Down = c.Outages()
	s.InFlight, s.Waiting, s.Failure = c.InFlight.Load(), c.Waiting(), c.LastFailure.Load()
	all, err := ob.metrics.Components()
	if err != nil {
		ob.options.Log.Warn("the counts of the components cannot be read", "error", err)
	}
	s.Components = all
	return s
}

// close writes how the run has ended, and stops the server.
func (ob *observer) close(cause error) error {
	ob.stop()
	err := ob.closeServer()
	ob.tasks.Wait()
	last := ob.now()
	last.Ended = true
	if cause != nil {
		last.Error = cause.Error()
	}
	return errors.Join(ob.viewer.write(context.Background()), status.Write(ob.folder, last), err, ob.viewer.close())
}

func (ob *observer) closeServer() error {
	if ob.server == nil {
		return nil
	}
	return ob.server.Close()
}
