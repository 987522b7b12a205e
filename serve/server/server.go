// Package server runs a server: it listens, follows the registry, serves HTTP and
// gRPC, and lets requests in flight finish when it stops.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"tkit/inference"
	"tkit/internal/tensorflow"
	"tkit/plugins/host"
	"tkit/plugins/steps"
	"tkit/plugins/store"
	"tkit/registry"
	"tkit/serve"
	"tkit/serve/rest"
	"tkit/serve/rpc"
)

// Options configure a server. Defaults returns their default values.
type Options struct {
	Home string
	// Database is that of [catalog.Options].
	Database string
	// HTTP and GRPC are host:port; "" disables one, port 0 takes a free one. An
	// address that other machines can reach needs TLS and requires tokens.
	HTTP, GRPC string
	// TLSCert and TLSKey are files in PEM form; "" is no TLS. They are read
	// again when they change.
	TLSCert, TLSKey string
	// Authenticate requires a token for every request. Otherwise local requests
	// without one are made as the account that runs the server.
	Authenticate bool
	// Groups is a file of groups. If it is "", the file in the home applies or,
	// without one, the groups of the system and, for datasets in HDFS, those of
	// the NameNode.
	Groups string
	// Origins are those of the web pages that may send requests over HTTP, such as
	// https://lab.example.org.
	Origins []string
	// Pages are web pages, by the first part of their paths.
	Pages map[string]http.Handler
	// Models are the aliases and versions to serve, such as "flowers@champion".
	// If empty, every model's production version is served.
	Models []string
	// Folder, if set, is served instead of the home's models: a SavedModel, or a
	// folder of versions as for TensorFlow Serving; see [inference.FolderSource].
	// Name is the name of its model, by default that of the folder.
	Folder, Name string

	Precision string // of trunks: fp32, or bf16 if the processor supports it
	Threads   int    // of one pass through a trunk; 0: all cores
	MaxBatch  int    // images in a pass
	MaxQueue  int    // images waiting for one trunk
	MaxImages int    // images in a request
	MaxBody   int64  // bytes of a request

	Timeout time.Duration // of a request
	// Drain is how long a stopping server still serves requests while it reports
	// that it is not ready, so that load balancers notice. Grace is the time that
	// requests in flight then have to finish.
	Drain, Grace time.Duration
	Watch        time.Duration // between checks of the registry

	GPUs inference.GPUs // of the process

	// Plugins configures how the plugins of preprocessings run.
	Plugins host.Config

	Log *slog.Logger
	// Listening is called once, when requests are accepted; Ready once, when the
	// server is ready: see [inference.Readiness]. Either may be nil.
	Listening func(Addresses)
	Ready     func([]inference.ModelStatus)
}

// Addresses are the addresses on which the server listens; "" for a disabled
// one.
type Addresses struct{ HTTP, GRPC string }

// Defaults are the options of `tkit serve` without flags.
func Defaults() Options {
	return Options{
		HTTP: "127.0.0.1:8501", GRPC: "127.0.0.1:8500",
		Precision: string(inference.FP32), MaxBatch: inference.DefaultLimits.MaxBatch, MaxQueue: inference.DefaultLimits.MaxQueue, MaxImages: 64, MaxBody: 32 << 20,
		Timeout: 30 * time.Second, Drain: time.Second, Grace: 30 * time.Second, Watch: 250 * time.Millisecond,
	}
}

// ErrQueue is the error of a queue that a request may not fit into.
var ErrQueue = errors.New("the queue is shorter than a request")

// Check refuses options that no home can be served with. It opens nothing.
func (o Options) Check() error {
	if o.HTTP == "" && o.GRPC == "" {
		return errors.New("serve: neither an HTTP nor a gRPC address is given")
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return fmt.Errorf("serve: one of %w is missing", ErrCertificate)
	}
	for _, limit := range []struct {
		of string
		n  int64
	}{{"images in a batch", int64(o.MaxBatch)}, {"images in a request", int64(o.MaxImages)}, {"bytes in a request", o.MaxBody}} {
		if limit.n < 1 {
			return fmt.Errorf("serve: the limit of %s is %d: it must be at least 1", limit.of, limit.n)
		}
	}
	for _, origin := range o.Origins {
		if err := rest.CheckOrigin(origin); err != nil {
			return fmt.Errorf("serve: %w", err)
		}
	}
	if o.Name != "" {
		if err := registry.CheckModelName(o.Name); err != nil {
			return fmt.Errorf("serve: the name of the folder's model: %w", err)
		}
	}
	if o.MaxQueue < o.MaxImages {
		return fmt.Errorf("serve: %w: %d images may wait, and a request may have %d", ErrQueue, o.MaxQueue, o.MaxImages)
	}
	if o.Threads < 0 {
		return fmt.Errorf("serve: %d threads: give 1 or more, or 0 for all cores", o.Threads)
	}
	return nil
}

// Run serves until ctx ends and the requests in flight have finished. It fails
// immediately if it cannot listen or the registry does not have a requested model.
// A version that does not load is retried and reported by /readyz.
func Run(ctx context.Context, o Options) (err error) {
	precision, err := inference.ParsePrecision(o.Precision)
	if err := errors.Join(err, precision.Supported(), o.Check()); err != nil {
		return err
	}
	if err := findDevice(o); err != nil {
		return err
	}
	c, err := openCatalog(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	certificate, err := o.certificate()
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, o)
	if err != nil {
		return err
	}
	a, err := newAuthorizer(ctx, c, o, listeners)
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	defer a.Close()
	source, err := newSource(ctx, a.versions(), o)
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	return newServer(o, source, precision, a, certificate).run(ctx, listeners)
}

// findDevice sets the process's GPUs and logs what it computes on.
func findDevice(o Options) error {
	if err := inference.UseGPUs(o.GPUs); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	d, err := inference.FindDevice()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	o.Log.Info("computing", "device", d.Name)
	for _, missing := range d.Missing {
		o.Log.Warn("no GPU is used", "reason", missing)
	}
	return nil
}

// A server holds the running parts.
type server struct {
	Options
	manager  *inference.Manager
	http     *http.Server
	grpc     *http.Server
	calls    *rpc.Server // the handler of gRPC
	health   *rpc.Health
	policy   func() error // returns why the policy cannot be read, nil if it can
	draining atomic.Bool
	ready    atomic.Bool // Ready was called
}

// bodies is the memory for requests in addition to that for a few of the
// largest size.
const bodies = 64 << 20

func newServer(o Options, source inference.Source, precision inference.Precision, a authorizer, certificate *tls.Config) *server {
	s := &server{Options: o, policy: a.Ready}
	gatherer := prometheus.NewRegistry()
	gatherer.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	requests, metrics := serve.NewMetrics(gatherer), inference.NewMetrics()
	gatherer.MustRegister(metrics)
	loader := inference.NewLoader(source, inference.LoaderOptions{
		Trunk:     tensorflow.Config{IntraOpThreads: o.Threads, RunInCaller: true},
		Precision: precision,
		Limits:    inference.Limits{MaxBatch: o.MaxBatch, MaxQueue: o.MaxQueue},
		Decoders:  runtime.GOMAXPROCS(0),
		Images:    o.MaxImages,
		Plugins:   steps.New(store.In(o.Home), o.Plugins),
		Permit:    a.load,
		Metrics:   metrics,
		Log:       o.Log,
	})
	s.manager = inference.NewManager(source, loader, inference.ManagerOptions{Metrics: metrics, Log: o.Log, Permit: a.use, Published: s.published})
	s.health = rpc.NewHealth()
	service := &serve.Service{
		Manager: s.manager, Metrics: requests, Memory: serve.NewMemory(8*o.MaxBody + bodies), Timeout: o.Timeout, Log: o.Log,
	}
	s.http = frontEnd(rest.New(rest.Options{
		Service: service, Gatherer: gatherer, Authenticate: a.authenticate,
		Limits: rest.Limits{MaxBody: o.MaxBody, MaxImages: o.MaxImages}, Origins: o.Origins,
		Draining: s.draining.Load, Policy: s.policy, Restrictions: a.restrictions, Pages: o.Pages,
	}), certificate, o.Log)
	s.calls = rpc.New(rpc.Options{
		Service: service, Health: s.health, Authenticate: a.authenticate, MaxMessage: int(o.MaxBody),
	})
	s.grpc = frontEnd(s.calls, certificate, o.Log)
	return s
}

// healthEvery is the interval at which the health service checks the policy.
const healthEvery = 500 * time.Millisecond

// watchPolicy keeps the health status up to date with whether the policy can be
// read, until ctx ends.
func (s *server) watchPolicy(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.setHealth()
		}
	}
}

func (s *server) setHealth() (ready bool) {
	ready = s.manager.Readiness().Ready
	s.health.Set(ready && s.policy() == nil)
	return ready
}

// published follows the manager's changes.
func (s *server) published() {
	ready := s.setHealth()
	if ready && !s.ready.Swap(true) && s.Ready != nil {
		s.Ready(s.manager.Models())
	}
}

func (s *server) run(ctx context.Context, l listeners) error {
	// The parts end one after the other, not all at the end of ctx.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var managed sync.WaitGroup
	managed.Go(func() { s.manager.Run(running) })
	managed.Go(func() { s.watchPolicy(running) })
	fronts, failed := errgroup.WithContext(ctx)
	if l.http != nil && !l.open {
		s.http.Handler = local(s.http.Handler)
	}
	fronts.Go(func() error { return s.serve(s.http, l.http) })
	fronts.Go(func() error { return s.serve(s.grpc, l.grpc) })
	if s.Listening != nil {
		s.Listening(l.addresses())
	}
	<-failed.Done() // ctx ended, or a front end failed
	s.drain()
	stop()
	managed.Wait()
	if err := fronts.Wait(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// serve serves a front end on a port, if there is one.
func (s *server) serve(front *http.Server, l net.Listener) error {
	switch {
	case l == nil:
		return nil
	case front.TLSConfig != nil:
		return front.ServeTLS(l, "", "")
	}
	return front.Serve(l)
}

// drain stops the front ends: they announce it, refuse new requests, and let those in
// flight finish or abort them.
func (s *server) drain() {
	s.Log.Info("stopping", "drain", s.Drain, "grace", s.Grace)
	s.draining.Store(true)
	s.health.Shutdown() // ignores later changes
	time.Sleep(s.Drain)

	grace, cancel := context.WithTimeout(context.Background(), s.Grace)
	defer cancel()
	s.calls.EndWatches()
	var ending sync.WaitGroup
	for _, front := range []*http.Server{s.http, s.grpc} {
		ending.Go(func() {
			if err := front.Shutdown(grace); err != nil {
				s.Log.Warn("requests did not finish in time and are cut off", "grace", s.Grace)
				front.Close()
			}
		})
	}
	ending.Wait()
	s.calls.Close()
	s.Log.Info("stopped")
}
