package serve_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/registry"
	"tkit/serve"
)

// newService serves a model, "m", and counts the permission checks.
func newService(t *testing.T) (s *serve.Service, gatherer *prometheus.Registry, asked *atomic.Int64) {
	t.Helper()
	home := inferencetest.New(t)
	home.Serve(t, "m")
	source, asked := home.Source(t), &atomic.Int64{}
	permit := func(context.Context, inference.Version) error { asked.Add(1); return nil }
	ready := make(chan struct{}, 1)
	m := inference.NewManager(source, inference.NewLoader(source, inference.LoaderOptions{Cold: true}), inference.ManagerOptions{
		Metrics: inference.NewMetrics(), Log: slog.New(slog.DiscardHandler), Permit: permit,
		Published: func() {
			select {
			case ready <- struct{}{}:
			default:
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for !m.Readiness().Ready {
		<-ready
	}
	gatherer = prometheus.NewRegistry()
	return &serve.Service{
		Manager: m, Metrics: serve.NewMetrics(gatherer), Memory: serve.NewMemory(1 << 20), Timeout: time.Hour, Log: slog.New(slog.DiscardHandler),
	}, gatherer, asked
}

// A request checks its permission once, and is measured under the version that
// served it.
func TestServiceFindsOnce(t *testing.T) {
	s, gatherer, asked := newService(t)
	err := s.Do(t.Context(), serve.Request{API: "test", Method: "ask"}, func(ctx context.Context, c *serve.Call) error {
		if _, err := c.Find(ctx, registry.Ref{Model: "m"}); err != nil {
			return err
		}
		if _, err := c.Find(ctx, registry.Ref{Model: "m"}); err == nil {
			t.Error("a call found two models")
		}
		return nil
	})
	if err != nil || asked.Load() != 1 {
		t.Errorf("%v; permission was asked for %d times", err, asked.Load())
	}
	families, err := gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var counted []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tkit_requests_total" {
				var values []string
				for _, l := range m.GetLabel() { // by name: api, method, model, outcome, version
					values = append(values, l.GetValue())
				}
				counted = append(counted, strings.Join(values, " "))
			}
		}
	}
	if !slices.Equal(counted, []string{"test ask m ok 1"}) {
		t.Errorf("counted %q", counted)
	}
}

// Whatever a request does, its memory and its model are released; otherwise the
// manager could not end.
func TestServiceReleases(t *testing.T) {
	s, _, _ := newService(t)
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		answer func(ctx context.Context, c *serve.Call) error
		want   inference.Reason
	}{
		"panic":  {func(context.Context, *serve.Call) error { panic("a bug") }, inference.Internal},
		"error":  {func(context.Context, *serve.Call) error { return boom }, inference.Internal},
		"memory": {func(_ context.Context, c *serve.Call) error { return c.Account.Hold(1 << 20) }, inference.Overloaded},
		"unknown": {func(ctx context.Context, c *serve.Call) error {
			_, err := c.Find(ctx, registry.Ref{Model: "x"})
			return err
		}, inference.NotFound},
		"late": {func(ctx context.Context, _ *serve.Call) error { <-ctx.Done(); return ctx.Err() }, inference.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			within := time.Hour
			if name == "late" {
				within = time.Millisecond
			}
			err := s.Do(t.Context(), serve.Request{Within: within}, func(ctx context.Context, c *serve.Call) error {
				if err := c.Account.Hold(1 << 19); err != nil {
					t.Errorf("an earlier request still holds memory: %v", err)
				}
				if name != "unknown" {
					if _, err := c.Find(ctx, registry.Ref{Model: "m"}); err != nil {
						return err
					}
				}
				return test.answer(ctx, c)
			})
			if inference.ReasonOf(err) != test.want {
				t.Errorf("%v, want the reason %q", err, test.want)
			}
		})
	}
}
