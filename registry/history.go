package registry

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"tkit/registry/metadata"
)

type (
	// A Change says who changes the registry, and why.
	Change = metadata.Change
	// An Action is what an event did.
	Action = metadata.Action
	// An Event is an entry of the history.
	Event = metadata.Event
)

// The actions.
const (
	Registered   = metadata.Registered
	Promoted     = metadata.Promoted
	RolledBack   = metadata.RolledBack
	AliasRemoved = metadata.AliasRemoved
	Deleted      = metadata.Deleted
	Bound        = metadata.Bound
	Unbound      = metadata.Unbound
	Changed      = metadata.Changed
)

func checkChange(c Change) error {
	if strings.TrimSpace(c.Actor) == "" {
		return fmt.Errorf("%w: a change needs an actor", ErrInvalid)
	}
	if len(c.Actor) > maxModelName || len(c.Reason) > maxReason || !utf8.ValidString(c.Actor+c.Reason) {
		return fmt.Errorf("%w: an actor has at most %d bytes and a reason %d, both of text", ErrInvalid, maxModelName, maxReason)
	}
	return checkKey(c.Key)
}

// record adds an event that happens now. A clock that goes backwards stops for the
// history, so that its times do not decrease.
func record(w metadata.Writer, e Event) (id int64, err error) {
	last, err := w.LastTime()
	if err != nil {
		return 0, err
	}
	if e.At = now(); e.At.Before(last) {
		e.At = last
	}
	return w.AddEvent(e)
}

// History returns all changes of a model, the oldest first; those of all models
// if model is empty.
func (r *Registry) History(ctx context.Context, model string) ([]Event, error) {
	events, err := r.events(ctx, model, 0)
	if err != nil {
		return nil, fmt.Errorf("registry: history of %q: %w", model, err)
	}
	if len(events) == 0 && model != "" {
		return nil, r.notFound(ctx, Ref{Model: model, Alias: Production})
	}
	return events, nil
}

func (r *Registry) events(ctx context.Context, model string, after int64) (events []Event, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) (err error) {
		events, err = rows.Events(model, after)
		return err
	})
	return events, err
}

// Generation returns a number that grows with every change: the ID of the last
// event, 0 for an empty registry.
func (r *Registry) Generation(ctx context.Context) (id int64, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) (err error) {
		id, err = rows.LastEvent()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return id, nil
}

// Watch yields every event after the generation since when it happens, in any
// process. A store that is not told of changes is polled at the given intervals; a poll
// takes some microseconds. An error means that the store cannot be read now; later the
// missed events follow. The sequence ends with the context.
//
// To follow the aliases without missing a change, call Generation, read the aliases
// with List, and watch from that generation on.
func (r *Registry) Watch(ctx context.Context, since int64, every time.Duration) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for err := range r.metadata.Changes(ctx, every) {
			var events []Event
			if err == nil {
				events, err = r.events(ctx, "", since)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil && !yield(Event{}, fmt.Errorf("registry: polling for changes: %w", err)) {
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
				since = e.ID
			}
		}
	}
}
