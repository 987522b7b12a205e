package inferencetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tkit/inference"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// Limits are the limits of the managers that this package starts.
var Limits = inference.Limits{MaxBatch: 4, MaxQueue: 8}

// MaxImages is how many images their servables take in a request.
const MaxImages = 6

// Running is a running manager with its parts.
type Running struct {
	*inference.Manager
	Gatherer *prometheus.Registry
	bell     *bell
}

// Source follows the home's registry: the production versions, or the aliases
// and versions that are named.
func (h *Home) Source(t testing.TB, wanted ...string) *inference.RegistrySource {
	t.Helper()
	source := &inference.RegistrySource{Registry: h.Registry, Every: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	for _, w := range wanted {
		ref, err := registry.ParseRef(w)
		if err != nil {
			t.Fatal(err)
		}
		source.Wanted = append(source.Wanted, ref)
	}
	return source
}

// Start runs a manager on the home's registry and returns when everything
// wanted is available.
func (h *Home) Start(t testing.TB, wanted ...string) Running {
	t.Helper()
	r := Run(t, h.Source(t, wanted...))
	r.Until(t, "complete", func() bool { return r.Readiness().Complete() })
	return r
}

// Run runs a manager until the test ends; it must then have unloaded
// everything.
func Run(t testing.TB, source inference.Source) Running {
	t.Helper()
	return RunIn(t, source, inference.FP32, slog.New(slog.DiscardHandler))
}

// RunIn is Run in a precision, with a log.
func RunIn(t testing.TB, source inference.Source, p inference.Precision, log *slog.Logger) Running {
	t.Helper()
	return RunWith(t, source, func(o *inference.LoaderOptions) { o.Precision, o.Log = p, log })
}

// RunWith is Run with other options for the loader.
func RunWith(t testing.TB, source inference.Source, change func(*inference.LoaderOptions)) Running {
	t.Helper()
	r := Running{Gatherer: prometheus.NewRegistry(), bell: &bell{}}
	metrics := inference.NewMetrics()
	r.Gatherer.MustRegister(metrics)
	o := inference.LoaderOptions{
		Trunk: tensorflow.Config{RunInCaller: true}, Limits: Limits, Decoders: 2, Images: MaxImages, Metrics: metrics,
		Precision: inference.FP32, Log: slog.New(slog.DiscardHandler),
	}
	change(&o)
	loader, log := inference.NewLoader(source, o), o.Log
	r.Manager = inference.NewManager(source, loader, inference.ManagerOptions{
		FirstRetry: 10 * time.Millisecond, LastRetry: 40 * time.Millisecond,
		Metrics: metrics, Log: log, Published: r.bell.Ring,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Manager.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if models := r.Models(); len(models) > 0 {
			t.Errorf("loaded after the end: %v", models)
		}
	})
	return r
}

// Until waits for a condition. It checks it whenever the manager has changed or
// the test calls Ring.
func (r Running) Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		next := r.bell.wait()
		if condition() {
			return
		}
		select {
		case <-next:
		case <-timeout:
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// Ring makes callers of Until check their conditions.
func (r Running) Ring() { r.bell.Ring() }

// A bell wakes all goroutines that wait for its next ring.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Ring rings the bell.
func (b *bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
