package registry

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// A Change says who changes the registry, and why.
type Change struct {
	// Actor is a user, service or job; never empty.
	Actor string `json:"actor"`
	// Reason is a sentence for people, or nothing.
	Reason string `json:"reason,omitempty"`
}

func (c Change) check() error {
	if strings.TrimSpace(c.Actor) == "" {
		return fmt.Errorf("%w: a change needs an actor", ErrInvalid)
	}
	if len(c.Actor) > maxModelName || len(c.Reason) > maxReason || !utf8.ValidString(c.Actor+c.Reason) {
		return fmt.Errorf("%w: an actor has at most %d bytes and a reason %d, both of text", ErrInvalid, maxModelName, maxReason)
	}
	return nil
}

// An Action is what an event did.
type Action string

// The actions.
const (
	Registered   Action = "register"
	Promoted     Action = "promote"
	RolledBack   Action = "rollback"
	AliasRemoved Action = "remove-alias"
)

// An Event is a line of the history.
type Event struct {
	// ID numbers the events of a registry, 1, 2, 3 …
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Action Action    `json:"action"`
	Model  string    `json:"model"`
	// Version is the one registered, or that the alias names from then on; 0
	// for a removed alias.
	Version int `json:"version,omitempty"`
	// Alias is what was moved, and Previous the version it named before, 0
	// where there was none.
	Alias    string `json:"alias,omitempty"`
	Previous int    `json:"previous,omitempty"`
	Change
}

// event is an Event with what only the registry needs to know.
type event struct {
	Event
	digest   Digest        // Registered: the manifest's
	replaced sql.NullInt64 // Promoted: the promotion in force before
}

// record appends to the history.
func record(ctx context.Context, tx *sql.Tx, e event) (id int64, err error) {
	result, err := tx.ExecContext(ctx,
		`INSERT INTO events (at, actor, action, model, version, alias, previous, reason, digest, replaced)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		moment(e.At).String(), e.Actor, e.Action, e.Model, e.Version, e.Alias, e.Previous, e.Reason, e.digest, e.replaced)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// History returns what was ever done to a model, the oldest first; to all of
// them where model is empty.
func (r *Registry) History(ctx context.Context, model string) ([]Event, error) {
	events, err := history(ctx, r.db.Reader(), "WHERE ?1 = '' OR model = ?1", model)
	if err != nil {
		return nil, fmt.Errorf("registry: history of %q: %w", model, err)
	}
	if len(events) == 0 && model != "" {
		return nil, r.notFound(ctx, Ref{Model: model, Alias: Production})
	}
	return publicEvents(events), nil
}

func history(ctx context.Context, q querier, where string, arg any) ([]event, error) {
	return rowsOf(ctx, q, func(rows *sql.Rows) (e event, err error) {
		err = rows.Scan(&e.ID, (*moment)(&e.At), &e.Actor, &e.Action, &e.Model, &e.Version, &e.Alias, &e.Previous,
			&e.Reason, &e.digest, &e.replaced)
		return e, err
	}, `SELECT id, at, actor, action, model, version, alias, previous, reason, digest, replaced
		FROM events `+where+" ORDER BY id", arg)
}

func publicEvents(events []event) []Event {
	all := make([]Event, len(events))
	for i, e := range events {
		all[i] = e.Event
	}
	return all
}

// Generation returns a number that grows with every change: the ID of the last
// event, 0 for an empty registry.
func (r *Registry) Generation(ctx context.Context) (int64, error) {
	var id int64
	err := r.db.Reader().QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM events").Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return id, nil
}

// Watch yields every event after the generation since, as it happens, whoever
// caused it in whichever process; it looks every so often, which costs some
// microseconds. An error tells that a look failed: nothing is lost, the next
// look is taken all the same. The sequence ends with the context.
//
// Whoever follows the aliases asks for Generation, reads them with List, and
// watches from that generation on: so no change falls in between.
func (r *Registry) Watch(ctx context.Context, since int64, every time.Duration) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for err := range r.db.Changes(ctx, every) {
			var events []event
			if err == nil {
				events, err = history(ctx, r.db.Reader(), "WHERE id > ?", since)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil && !yield(Event{}, fmt.Errorf("registry: looking for changes: %w", err)) {
				return
			}
			for _, e := range events {
				if !yield(e.Event, nil) {
					return
				}
				since = e.ID
			}
		}
	}
}
