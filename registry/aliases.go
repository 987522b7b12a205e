package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// An Alias is a movable name for a version of a model.
type Alias struct {
	Model   string `json:"model"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Since is when it came to name this version, by this change.
	Since time.Time `json:"since"`
	Change
}

// An AliasMove is a change of an alias.
type AliasMove struct {
	Action  Action // Promoted, RolledBack or AliasRemoved
	Model   string
	Alias   string
	Version int // that the alias is to name; only of Promoted
	By      Change
	// Planned, where set, is the only transition to make. Where the alias has
	// moved since it was planned, the error wraps ErrMoved.
	Planned *Transition
}

// A Transition is from the version that an alias names to the one it will name; 0
// is none.
type Transition struct{ From, To int }

// ErrMoved is the error of a planned move whose alias was moved by somebody else.
var ErrMoved = errors.New("somebody moved it meanwhile: look again")

// Promote makes an alias name a version, from the next Resolve on. The alias
// is made when missing; where it names the version already, nothing happens
// and nothing is recorded.
func (r *Registry) Promote(ctx context.Context, model string, version int, alias string, by Change) (Alias, error) {
	return r.Move(ctx, AliasMove{Action: Promoted, Model: model, Alias: alias, Version: version, By: by})
}

// Rollback undoes the promotion in force: the alias names again what it named
// before. A second Rollback undoes the promotion before that one, and so on
// back to the first, which cannot be undone: RemoveAlias does that. A
// promotion after a Rollback starts from what the Rollback led to; what was
// rolled back is no longer reached.
//
//	promote 1, promote 2, promote 3   → 3
//	rollback                          → 2
//	promote 4                         → 4
//	rollback, rollback                → 2, then 1
func (r *Registry) Rollback(ctx context.Context, model, alias string, by Change) (Alias, error) {
	return r.Move(ctx, AliasMove{Action: RolledBack, Model: model, Alias: alias, By: by})
}

// RemoveAlias removes an alias. A later Promote makes it anew: Rollback does
// not reach back behind the removal.
func (r *Registry) RemoveAlias(ctx context.Context, model, alias string, by Change) error {
	_, err := r.Move(ctx, AliasMove{Action: AliasRemoved, Model: model, Alias: alias, By: by})
	return err
}

// Move makes a move in one transaction and records it in the history. It returns
// the alias as it is then, zero where it was removed. Where the alias names the
// version already, nothing is recorded.
func (r *Registry) Move(ctx context.Context, m AliasMove) (Alias, error) {
	var moved Alias
	err := r.moving(ctx, m, func(tx *sql.Tx, before, after standing) (err error) {
		if m.Planned != nil && *m.Planned != (Transition{before.version, after.version}) {
			return ErrMoved
		}
		if after != before {
			if err := settle(ctx, tx, m.event(before, after), after); err != nil {
				return err
			}
		}
		if after.version == 0 {
			return nil
		}
		moved, err = readAlias(ctx, tx, m.Model, m.Alias)
		return err
	}, r.db.Write)
	return moved, err
}

// Plan returns the transition that a move would make now.
func (r *Registry) Plan(ctx context.Context, m AliasMove) (Transition, error) {
	var t Transition
	err := r.moving(ctx, m, func(_ *sql.Tx, before, after standing) error {
		t = Transition{before.version, after.version}
		return nil
	}, r.db.Read)
	return t, err
}

// standing is which version an alias names and which promotion, an event, made
// it so. The zero value stands for no alias.
type standing struct {
	version   int
	promotion int64
}

// moving calls f with the standing of an alias before and after a move, in a
// transaction. A new standing without a promotion is due to this move.
func (r *Registry) moving(ctx context.Context, m AliasMove, f func(tx *sql.Tx, before, after standing) error,
	transaction func(context.Context, func(*sql.Tx) error) error) error {
	if err := errors.Join(CheckModelName(m.Model), CheckAliasName(m.Alias), m.By.check()); err != nil {
		return err
	}
	err := transaction(ctx, func(tx *sql.Tx) error {
		var before standing
		err := tx.QueryRowContext(ctx, "SELECT version, promoted FROM aliases WHERE model = ? AND name = ?", m.Model, m.Alias).
			Scan(&before.version, &before.promotion)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		after, err := r.target(ctx, tx, m, before)
		if err != nil {
			return err
		}
		return f(tx, before, after)
	})
	if err != nil {
		return fmt.Errorf("alias %s: %w", m.Alias, err)
	}
	return nil
}

// target is the standing that a move leads to.
func (r *Registry) target(ctx context.Context, tx *sql.Tx, m AliasMove, before standing) (after standing, err error) {
	if m.Action != Promoted && before.version == 0 {
		return standing{}, r.notFound(ctx, Ref{Model: m.Model, Alias: m.Alias})
	}
	switch m.Action {
	case Promoted:
		if m.Version == before.version {
			return before, nil
		}
		var found bool
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM versions WHERE model = ? AND version = ?", m.Model, m.Version).Scan(&found)
		if err == nil && !found {
			err = r.notFound(ctx, Ref{Model: m.Model, Version: m.Version})
		}
		return standing{version: m.Version}, err
	case RolledBack:
		err := tx.QueryRowContext(ctx,
			`SELECT earlier.version, earlier.id FROM events AS undone JOIN events AS earlier ON earlier.id = undone.replaced
			WHERE undone.id = ?`, before.promotion).Scan(&after.version, &after.promotion)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("%s@%s: %w: it named no version before %d; promote one, or remove the alias",
				m.Model, m.Alias, ErrNotFound, before.version)
		}
		return after, err
	case AliasRemoved:
		return standing{}, nil
	}
	return standing{}, fmt.Errorf("%w: %q does not move an alias", ErrInvalid, m.Action)
}

// event is the line of the history for a move.
func (m AliasMove) event(before, after standing) event {
	e := event{Event: Event{At: now(), Action: m.Action, Model: m.Model, Version: after.version,
		Alias: m.Alias, Previous: before.version, Change: m.By}}
	if m.Action == Promoted {
		e.replaced = sql.NullInt64{Int64: before.promotion, Valid: before.promotion != 0}
	}
	return e
}

// settle records a move and gives the alias its new standing.
func settle(ctx context.Context, tx *sql.Tx, e event, after standing) error {
	id, err := record(ctx, tx, e)
	if err != nil {
		return err
	}
	if after.version == 0 {
		_, err = tx.ExecContext(ctx, "DELETE FROM aliases WHERE model = ? AND name = ?", e.Model, e.Alias)
		return err
	}
	if after.promotion == 0 {
		after.promotion = id
	}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO aliases (model, name, version, promoted, changed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, promoted = excluded.promoted, changed = excluded.changed`,
		e.Model, e.Alias, after.version, after.promotion, id)
	return err
}

const selectAliases = `SELECT a.model, a.name, a.version, e.at, e.actor, e.reason
	FROM aliases AS a JOIN events AS e ON e.id = a.changed `

func scanAlias(rows *sql.Rows) (a Alias, err error) {
	err = rows.Scan(&a.Model, &a.Name, &a.Version, (*moment)(&a.Since), &a.Actor, &a.Reason)
	return a, err
}

// readAliases returns the aliases of a model, or of all where model is empty,
// by model and name.
func readAliases(ctx context.Context, tx *sql.Tx, model string) ([]Alias, error) {
	return rowsOf(ctx, tx, scanAlias, selectAliases+"WHERE ?1 = '' OR a.model = ?1 ORDER BY a.model, a.name", model)
}

func readAlias(ctx context.Context, tx *sql.Tx, model, name string) (Alias, error) {
	found, err := rowsOf(ctx, tx, scanAlias, selectAliases+"WHERE a.model = ? AND a.name = ?", model, name)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%w: %d rows for one alias", ErrCorrupt, len(found))
	}
	if err != nil {
		return Alias{}, err
	}
	return found[0], nil
}
