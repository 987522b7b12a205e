package components

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/deadletter"
	"tkit/ingest/failure"
	"tkit/ingest/status"
)

// DeliveryInput is the name of the input that RegisterDelivery adds. It has the field
// "input".
const DeliveryInput = "tkit_delivery"

// RegisterDelivery adds the input that a run puts around the input of its pipeline. It
// passes on each image of that input until the outputs have it or it is a dead letter,
// and only then acknowledges it.
func RegisterDelivery(env *service.Environment, r *Run) error {
	spec := service.NewConfigSpec().Field(service.NewInputField("input"))
	err := env.RegisterBatchInput(DeliveryInput, spec, func(c *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
		child, err := c.FieldInput("input")
		if err != nil {
			return nil, err
		}
		return newDelivery(child, r), nil
	})
	if err != nil {
		return fmt.Errorf("components: %w", err)
	}
	return nil
}

// A delivery is the input around that of a pipeline.
type delivery struct {
	run     *Run
	letters *watch
	child   *service.OwnedInput
	slots   chan struct{} // one for each image in flight
	ready   chan *parcel  // to be passed on
	running context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	ended   chan struct{} // closed when the child has ended and all parcels are done

	mu        sync.Mutex
	started   bool
	exhausted bool // the child has ended
	open      map[*parcel]bool
	// behind are the images that wait for an earlier one of their key, for each key of
	// an image that is passed on.
	behind map[string][]*parcel
}

// A parcel is an image from its reading to its acknowledgement.
type parcel struct {
	message  *service.Message // as the child gave it
	read     time.Time
	attempts int
	ordered  bool                                       // images of the same key are passed on one after the other
	key      string                                     //
	fault    error                                      // why the key is not known; such an image becomes a dead letter
	answer   func(ctx context.Context, err error) error // to the child
}

func newDelivery(child *service.OwnedInput, r *Run) *delivery {
	d := &delivery{
		run: r, letters: r.watch("dead letters", ""), child: child, slots: make(chan struct{}, r.InFlight), ready: make(chan *parcel),
		ended: make(chan struct{}), open: make(map[*parcel]bool), behind: make(map[string][]*parcel),
	}
	d.running, d.stop = context.WithCancel(context.Background())
	return d
}

func (d *delivery) Connect(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.started {
		d.started = true
		d.tasks.Go(d.read)
	}
	return nil
}

// read reads the child until it ends. It waits while the most images are in flight.
func (d *delivery) read() {
	for {
		batch, answer, err := d.child.ReadBatch(d.running)
		if errors.Is(err, service.ErrEndOfInput) {
			d.exhaust()
			return
		}
		if err != nil {
			return // the delivery was closed
		}
		answer = once(len(batch), answer)
		for _, m := range batch {
			describe(m)
			p := &parcel{message: m, read: time.Now(), answer: answer}
			d.findKey(p)
			d.accept(p)
		}
	}
}

// describe sets the metadata of every image that its input has not set.
func describe(m *service.Message) {
	if _, has := m.MetaGetMut(metaSHA256); has {
		return
	}
	image, err := m.AsBytes()
	if err != nil {
		return // what reads the image reports it
	}
	m.MetaSetMut(metaSHA256, fmt.Sprintf("%x", sha256.Sum256(image)))
	m.MetaSetMut(metaSize, len(image))
}

// once answers for a batch when all its messages are answered, with the first error.
func once(messages int, answer service.AckFunc) service.AckFunc {
	var mu sync.Mutex
	var first error
	return func(ctx context.Context, err error) error {
		mu.Lock()
		messages--
		if first == nil {
			first = err
		}
		last, result := messages == 0, first
		mu.Unlock()
		if !last {
			return nil
		}
		return answer(ctx, result)
	}
}

// accept passes on a new image, or gives it back if the delivery was closed.
func (d *delivery) accept(p *parcel) {
	select {
	case d.slots <- struct{}{}:
	case <-d.running.Done():
		d.giveBack(p)
		return
	}
	d.run.Counters.Read.Add(1)
	d.run.Counters.InFlight.Add(1)
	d.mu.Lock()
	d.open[p] = true
	first := d.lineUp(p)
	d.mu.Unlock()
	if first {
		d.pass(p)
	}
}

// pass passes on an image for an attempt, unless the delivery is closed.
func (d *delivery) pass(p *parcel) {
	select {
	case d.ready <- p:
	case <-d.running.Done():
	}
}

func (d *delivery) exhaust() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exhausted = true
	d.endIfDone()
}

func (d *delivery) endIfDone() {
	if d.exhausted && len(d.open) == 0 {
		close(d.ended)
	}
}

// ReadBatch returns the next image for an attempt.
func (d *delivery) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		select {
		case p := <-d.ready:
			p.attempts++
			if p.fault == nil {
				return service.MessageBatch{p.message.Copy()}, func(ctx context.Context, err error) error { return d.answered(ctx, p, err) }, nil
			}
			if err := d.failed(ctx, p, p.fault); err != nil {
				return nil, nil, err
			}
		case <-d.ended:
			return nil, nil, service.ErrEndOfInput
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// answered ends an attempt.
func (d *delivery) answered(ctx context.Context, p *parcel, err error) error {
	if err != nil {
		return d.failed(ctx, p, err)
	}
	d.run.Counters.Delivered.Add(1)
	d.run.Metrics.latency.Observe(time.Since(p.read).Seconds())
	return d.done(ctx, p)
}

// done acknowledges an image to the child.
func (d *delivery) done(ctx context.Context, p *parcel) error {
	err := p.answer(ctx, nil)
	d.mu.Lock()
	delete(d.open, p)
	d.run.Counters.InFlight.Add(-1)
	<-d.slots
	d.endIfDone()
	next := d.nextOf(p)
	d.mu.Unlock()
	if next != nil {
		d.later(next, 0)
	}
	return err
}

// failed decides what follows a failed attempt.
func (d *delivery) failed(ctx context.Context, p *parcel, err error) error {
	d.run.Counters.Failed.Add(1)
	kind := failure.KindOf(err)
	if errors.Is(err, context.Canceled) {
		kind = failure.Outage // the run stops
	}
	source, _ := p.message.MetaGet(metaSource)
	d.run.Counters.LastFailure.Store(&status.Failure{Time: time.Now().UTC(), Source: source, Stage: failure.StageOf(err), Cause: causeOf(err)})
	if kind == failure.Lasting || kind == failure.Unknown && p.attempts >= d.run.Attempts {
		began := time.Now()
		dead := d.bury(ctx, p, err)
		d.letters.sawAny(ctx, began, dead)
		if dead == nil {
			d.run.Log.Warn("dead letter", "source", source, "stage", failure.StageOf(err), "cause", causeOf(err), "attempts", p.attempts)
			d.run.Counters.Dead.Add(1)
			return d.done(ctx, p)
		}
		d.run.Log.Error("a dead letter cannot be written; it is tried again", "source", source, "error", dead)
	}
	wait := failure.Delay(p.attempts)
	d.run.Log.Info("an attempt failed", "source", source, "attempts", p.attempts, "retry_in", wait, "error", causeOf(err))
	d.later(p, wait)
	return nil
}

// later passes an image on again after a while, unless the delivery is closed.
func (d *delivery) later(p *parcel, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running.Err() != nil {
		return
	}
	d.tasks.Go(func() {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			d.pass(p)
		case <-d.running.Done():
		}
	})
}

// Rejection is what the engine puts before the error of an image that has failed.
const Rejection = "rejecting due to failed processing: "

func causeOf(err error) string { return strings.TrimPrefix(failure.CauseOf(err), Rejection) }

// bury makes a dead letter of an image.
func (d *delivery) bury(ctx context.Context, p *parcel, cause error) error {
	image, err := p.message.AsBytes()
	if err != nil {
		return err
	}
	l := deadletter.Letter{
		Stage: failure.StageOf(cause), Cause: causeOf(cause), Attempts: p.attempts, Time: time.Now().UTC(), Metadata: make(map[string]any),
	}
	err = p.message.MetaWalkMut(func(key string, value any) error {
		if key == metaSource {
			l.Source = fmt.Sprint(value)
		}
		l.Metadata[key] = value
		return nil
	})
	if err != nil {
		return err
	}
	return d.run.Letters.Put(ctx, l, image)
}

// errStopped answers for images that were not delivered when the run stopped.
var errStopped = errors.New("the run has stopped")

// giveBack tells the child that an image was not delivered. The error of the child is
// the same.
func (d *delivery) giveBack(p *parcel) { _ = p.answer(context.Background(), errStopped) }

// Close gives back the images that were not delivered, and closes the child.
func (d *delivery) Close(ctx context.Context) error {
	d.mu.Lock()
	d.stop() // no task begins any more
	d.mu.Unlock()
	d.tasks.Wait()
	d.mu.Lock()
	left := d.open
	d.run.Counters.InFlight.Add(-int64(len(left)))
	d.open = make(map[*parcel]bool)
	d.mu.Unlock()
	for p := range left {
		d.giveBack(p)
	}
	return d.child.Close(ctx)
}
