package components

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
)

// FanOut is the name of the output that RegisterFanOut adds. It takes the place of the
// engine's broker where that writes to all of its outputs: when more than two of them
// refuse an image, the broker waits for ever, because it answers once for each.
const FanOut = "tkit_fan_out"

// The fields of FanOut.
const (
	FanOutOutputs    = "outputs"
	FanOutSequential = "sequential" // one output after the other, up to the first that fails
)

// RegisterFanOut adds the output.
func RegisterFanOut(env *service.Environment, r *Run) error {
	spec := service.NewConfigSpec().Fields(service.NewOutputListField(FanOutOutputs), service.NewBoolField(FanOutSequential).Default(false))
	err := env.RegisterBatchOutput(FanOut, spec,
		func(c *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
			f := fields{config: c}
			o := &fanOut{sequential: f.boolean(FanOutSequential)}
			o.children = field(&f, FanOutOutputs, c.FieldOutputList)
			return o, service.BatchPolicy{}, r.InFlight, f.err
		})
	if err != nil {
		return fmt.Errorf("components: %w", err)
	}
	return nil
}

type fanOut struct {
	children   []*service.OwnedOutput
	sequential bool

	mu     sync.Mutex
	primed bool
}

func (o *fanOut) Connect(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.primed {
		return nil
	}
	for _, child := range o.children {
		if err := child.Prime(); err != nil {
			return err
		}
	}
	o.primed = true
	return nil
}

// WriteBatch returns when each output has answered, so that another attempt does not
// meet this one.
func (o *fanOut) WriteBatch(ctx context.Context, b service.MessageBatch) error {
	errs := make([]error, len(o.children))
	if o.sequential {
		for _, child := range o.children {
			if err := child.WriteBatch(ctx, b.Copy()); err != nil {
				return err
			}
		}
		return nil
	}
	var writing sync.WaitGroup
	for i, child := range o.children {
		writing.Go(func() { errs[i] = child.WriteBatch(ctx, b.Copy()) })
	}
	writing.Wait()
	return gravest(errs)
}

// gravest returns the error that decides what follows: first that of a service that is
// down, because the image may be delivered to it later, and last one that no attempt
// can overcome.
func gravest(errs []error) error {
	for _, kind := range []failure.Kind{failure.Outage, failure.Unknown, failure.Lasting} {
		for _, err := range errs {
			if err != nil && failure.KindOf(err) == kind {
				return err
			}
		}
	}
	return nil
}

func (o *fanOut) Close(ctx context.Context) (err error) {
	for _, child := range o.children {
		err = errors.Join(err, child.Close(ctx))
	}
	return err
}
