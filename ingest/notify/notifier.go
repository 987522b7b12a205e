// Package notify tells people about images, in messages that collect several of them.
//
// An image counts as delivered when it is in an outbox on disk. So messages, their
// limits and a mail server that is down never hold back the pipeline's other images.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tkit/ingest/failure"
	"tkit/ingest/status"
)

// Stage is the stage of this package's failures.
const Stage = "notify"

const (
	// full is the number of waiting images from which on more have to wait.
	full = 100_000
	// look is the time after which the outbox is looked at again: another process,
	// such as a replay, may have added images.
	look = 5 * time.Second
	// gather is the shortest time between two looks because of new images.
	gather      = 200 * time.Millisecond
	sendTimeout = time.Minute
)

// Options say when messages are sent.
type Options struct {
	Name     string // of the outbox, unique in the pipeline
	Folder   string // of the outbox
	Pipeline string

	Period time.Duration // from the first image to the message
	Count  int           // of images after which the message is sent before that
	First  int           // images that the message names
	// Messages is the most in a time. What is over waits for the next message. 0 means
	// no limit.
	Messages int
	Per      time.Duration
	// Attempts is how often a message is tried before it is given up; 0 means for
	// ever.
	Attempts int

	Log *slog.Logger
	// GivenUp is called with the number of images whose message was given up.
	GivenUp func(images int)
	// Tried is called with the error of each attempt to send a message, nil if it is
	// sent.
	Tried func(error)
}

// Check returns what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Period < 0 || o.Count < 1 || o.First < 0:
		return errors.New("digest: period and names must not be negative, and count at least 1")
	case o.Messages < 0 || o.Messages > 0 && (o.Per <= 0 || o.Per > memory):
		return fmt.Errorf("limit: messages must not be negative, and per at most %s", memory)
	case o.Attempts < 0:
		return errors.New("attempts must not be negative")
	}
	return nil
}

// A Notifier sends messages about images. Its methods may be called concurrently. Close
// ends it.
type Notifier struct {
	options Options
	sender  Sender
	outbox  *outbox
	unlock  func() error // nil while another process sends

	added   chan struct{} // something new is in the outbox
	running context.Context
	stop    context.CancelFunc
	sending sync.WaitGroup

	waiting  atomic.Int64 // images, about: those of other processes are counted at the next look
	failures int          // since the last message
}

// Open opens the outbox and sends what is in it. The notifier closes the sender.
func Open(ctx context.Context, o Options, s Sender) (*Notifier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	box, err := openOutbox(ctx, filepath.Join(o.Folder, "notify-"+o.Name+".db"))
	if err != nil {
		return nil, err
	}
	n := &Notifier{options: o, sender: s, outbox: box, added: make(chan struct{}, 1)}
	n.running, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	n.sending.Go(n.send)
	return n, nil
}

// Add puts an image into the outbox, and returns when it is on disk. It is told once,
// also if it is added again within a day. An error is a *failure.Error.
func (n *Notifier) Add(ctx context.Context, i Image) error {
	if waiting := n.waiting.Load(); waiting >= full {
		return &failure.Error{Stage: Stage, Kind: failure.Outage, Err: fmt.Errorf("%d images wait for a message already", waiting)}
	}
	if err := n.outbox.add(ctx, i); err != nil {
		return &failure.Error{Stage: Stage, Kind: failure.Outage, Err: err}
	}
	n.waiting.Add(1)
	select {
	case n.added <- struct{}{}:
	default:
	}
	return nil
}

// send sends messages until the notifier is closed.
func (n *Notifier) send() {
	for n.running.Err() == nil {
		wait, err := n.step(n.running, time.Now())
		if err != nil && n.running.Err() == nil {
			n.options.Log.Warn("a message is not sent", "output", n.options.Name, "attempts", n.failures, "retry_in", wait, "error", err)
		}
		n.pause(wait, err == nil)
	}
}

// pause waits; new images end it if wake is set.
func (n *Notifier) pause(wait time.Duration, wake bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	added := n.added
	if !wake {
		added = nil
	}
	select {
	case <-timer.C:
	case <-added:
		timer.Reset(min(wait, gather))
		select {
		case <-timer.C:
		case <-n.running.Done():
		}
	case <-n.running.Done():
	}
}

// step sends a message if one is due, and returns how long nothing is to be done.
func (n *Notifier) step(ctx context.Context, now time.Time) (time.Duration, error) {
	mine, err := n.lock()
	if err != nil || !mine {
		return look, err
	}
	b, err := n.outbox.backlog(ctx, now.Add(-n.options.Per))
	if err != nil {
		return look, err
	}
	n.waiting.Store(int64(b.images))
	if wait := n.due(b, now); wait > 0 {
		return min(wait, look), nil
	}
	if err := n.message(ctx); err != nil {
		return failure.Delay(max(1, n.failures)), err
	}
	return 0, nil
}

// lock makes this process the one that sends, unless another one is.
func (n *Notifier) lock() (bool, error) {
	if n.unlock != nil {
		return true, nil
	}
	unlock, err := status.Lock(n.options.Folder, "notify-"+n.options.Name)
	if errors.Is(err, status.ErrLocked) {
		return false, nil
	}
	n.unlock = unlock
	return err == nil, err
}

// due returns how long to wait for the next message. It is 0 if there is one to send
// now.
func (n *Notifier) due(b backlog, now time.Time) time.Duration {
	o := n.options
	if b.images == 0 {
		return look
	}
	wait := time.Duration(0)
	if b.images < o.Count {
		wait = b.oldest.Add(o.Period).Sub(now)
	}
	if o.limited(b) {
		wait = max(wait, b.first.Add(o.Per).Sub(now), time.Millisecond)
	}
	return max(0, wait)
}

func (o Options) limited(b backlog) bool { return o.Messages > 0 && b.recent >= o.Messages }

// message sends what waits, or first what was begun and is not known to be sent. After
// too many attempts it gives that up.
func (n *Notifier) message(ctx context.Context) error {
	id, last, err := n.outbox.begin(ctx)
	if err != nil {
		return err
	}
	d, err := n.outbox.digest(ctx, last, n.options.First)
	if err != nil {
		return err
	}
	d.ID, d.Pipeline = id, n.options.Pipeline
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = n.sender.Send(sending, d)
	if ctx.Err() == nil {
		n.options.Tried(err)
	}
	if err == nil {
		n.failures = 0
		// Also when the run stops now: the message was sent.
		return n.outbox.told(context.WithoutCancel(ctx), last, true)
	}
	if ctx.Err() != nil { // the run stops: that is no failure of the service
		return err
	}
	n.failures++
	if n.options.Attempts == 0 || n.failures < n.options.Attempts {
		return err
	}
	n.options.Log.Error("a message is given up", "output", n.options.Name, "images", d.Images, "attempts", n.failures, "error", err)
	if err := n.outbox.told(ctx, last, false); err != nil {
		return err
	}
	n.failures = 0
	n.options.GivenUp(d.Images)
	return nil
}

// ErrLeft is wrapped by the error of Close if images wait for a message. The next run
// sends it.
var ErrLeft = errors.New("they stay in the outbox for the next run")

// Close sends what waits, unless the limit forbids that, and ends the notifier. It is
// called when no more images are added.
func (n *Notifier) Close(ctx context.Context) error {
	n.stop()
	n.sending.Wait()
	err := n.flush(ctx)
	n.sender.Close()
	if n.unlock != nil {
		err = errors.Join(err, n.unlock())
	}
	return errors.Join(err, n.outbox.close())
}

func (n *Notifier) flush(ctx context.Context) error {
	if mine, err := n.lock(); err != nil || !mine { // the other process sends them
		return err
	}
	for {
		b, err := n.outbox.backlog(ctx, time.Now().Add(-n.options.Per))
		if err != nil || b.images == 0 {
			return err
		}
		if n.options.limited(b) {
			n.options.Log.Info("images wait for a message, because of its limit", "output", n.options.Name, "images", b.images)
			return nil
		}
		if err := n.message(ctx); err != nil {
			return fmt.Errorf("images without a message: %d; %w: %w", b.images, ErrLeft, err)
		}
	}
}
