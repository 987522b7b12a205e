package serve

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"tkit/inference"
	"tkit/internal/guard"
	"tkit/registry"
)

// A Service does what all front ends need for a request to a model, whatever its
// kind: it limits time and memory, finds the version, measures the request and logs
// it.
type Service struct {
	Manager *inference.Manager
	Metrics *Metrics
	Memory  *Memory       // of the requests of all front ends together
	Timeout time.Duration // of a request; 0 is none
	Log     *slog.Logger
}

// A Request describes a request before its body is read.
type Request struct {
	API, Method string        // for measurements and the log, such as "rest" and "predict"
	Within      time.Duration // the client's own time limit; 0 is none
}

// A Call is one request while it is being answered.
type Call struct {
	// Account holds the memory of the request.
	Account *Account

	service *Service
	handle  *inference.Handle
}

// Do calls answer for a request and returns its error; a panic becomes an error.
// When answer returns, the call's memory and model are released, and its context
// ends.
func (s *Service) Do(ctx context.Context, r Request, answer func(context.Context, *Call) error) error {
	begun := time.Now()
	c := &Call{service: s}
	err := s.run(ctx, r, c, answer)
	// Arbitrary names from clients would create an unlimited number of metrics.
	var model, version string
	if c.handle != nil {
		model, version = c.handle.Model, strconv.Itoa(c.handle.Number)
	}
	outcome, took := "ok", time.Since(begun)
	if err != nil {
		outcome = string(inference.ReasonOf(err))
	}
	s.Metrics.request(r, model, version, outcome, took)
	s.Log.DebugContext(ctx, "request", "api", r.API, "method", r.Method, "model", model, "version", version, "outcome", outcome, "took", took)
	return err
}

func (s *Service) run(ctx context.Context, r Request, c *Call, answer func(context.Context, *Call) error) (err error) {
	within := s.Timeout
	if r.Within > 0 && (within == 0 || r.Within < within) {
		within = r.Within
	}
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	if c.Account, err = s.Memory.Open(); err != nil {
		return err
	}
	defer c.Account.Close()
	defer func() {
		if c.handle != nil {
			c.handle.Release()
		}
	}()
	return guard.Call(func() error { return answer(ctx, c) })
}

// Find finds the version for a reference, and holds it until the call ends. It is
// called once, and checks whether the caller may use the version. The error is that of
// [inference.Manager.Acquire].
func (c *Call) Find(ctx context.Context, ref registry.Ref) (*inference.Handle, error) {
	if c.handle != nil {
		return nil, errors.New("serve: Find was called twice for one call")
	}
	var err error
	c.handle, err = c.service.Manager.Acquire(ctx, ref)
	return c.handle, err
}
