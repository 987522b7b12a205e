package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// An AdmitMove decides, in the transaction that moves an alias, whether it may
// go from one version to another; 0 is no version. Its error ends the move.
type AdmitMove func(from, to int) error

// An Alias is a movable name for a version of a model.
type Alias struct {
	Model   string `json:"model"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Since is when it came to name this version, by this change.
	Since time.Time `json:"since"`
	Change
}

// Promote makes an alias name a version, from the next Resolve on. The alias
// is made when missing; where it names the version already, nothing happens
// and nothing is recorded.
func (r *Registry) Promote(ctx context.Context, model string, version int, alias string, by Change, admit ...AdmitMove) (Alias, error) {
	return r.move(ctx, model, alias, by, admit, func(tx *sql.Tx, before standing) (Action, standing, error) {
		if version == before.version {
			return Promoted, before, nil
		}
		var found bool
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM versions WHERE model = ? AND version = ?", model, version).Scan(&found)
		if err == nil && !found {
			err = r.notFound(ctx, Ref{Model: model, Version: version})
		}
		return Promoted, standing{version: version}, err
	})
}

// Rollback undoes the promotion in force: the alias names again what it named
// before. A second Rollback undoes the promotion before that one, and so on
// back to the first, which cannot be undone: RemoveAlias does that. A
// promotion after a Rollback stands on what the Rollback led to; what was
// rolled back is out of the way.
//
//	promote 1, promote 2, promote 3   → 3
//	rollback                          → 2
//	promote 4                         → 4
//	rollback, rollback                → 2, then 1
func (r *Registry) Rollback(ctx context.Context, model, alias string, by Change, admit ...AdmitMove) (Alias, error) {
	return r.move(ctx, model, alias, by, admit, func(tx *sql.Tx, before standing) (Action, standing, error) {
		if before.version == 0 {
			return RolledBack, standing{}, r.notFound(ctx, Ref{Model: model, Alias: alias})
		}
		var after standing
		err := tx.QueryRowContext(ctx,
			`SELECT earlier.version, earlier.id FROM events AS undone JOIN events AS earlier ON earlier.id = undone.replaced
			WHERE undone.id = ?`, before.promotion).Scan(&after.version, &after.promotion)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("%s@%s: %w: it named no version before %d; promote one, or remove the alias",
				model, alias, ErrNotFound, before.version)
		}
		return RolledBack, after, err
	})
}

// RemoveAlias removes an alias. A later Promote makes it anew: Rollback does
// not reach back behind the removal.
func (r *Registry) RemoveAlias(ctx context.Context, model, alias string, by Change, admit ...AdmitMove) error {
	_, err := r.move(ctx, model, alias, by, admit, func(_ *sql.Tx, before standing) (Action, standing, error) {
		if before.version == 0 {
			return AliasRemoved, standing{}, r.notFound(ctx, Ref{Model: model, Alias: alias})
		}
		return AliasRemoved, standing{}, nil
	})
	return err
}

// standing is which version an alias names and which promotion, an event, made
// it so. The zero value stands for no alias.
type standing struct {
	version   int
	promotion int64
}

// move takes an alias from its standing to the one that decide says, in one
// transaction, and records it. A new standing without a promotion owes itself
// to this move.
func (r *Registry) move(ctx context.Context, model, alias string, by Change, admit []AdmitMove,
	decide func(tx *sql.Tx, before standing) (Action, standing, error)) (Alias, error) {
	if err := errors.Join(CheckModelName(model), CheckAliasName(alias), by.check()); err != nil {
		return Alias{}, err
	}
	var moved Alias
	err := r.db.Write(ctx, func(tx *sql.Tx) error {
		var before standing
		err := tx.QueryRowContext(ctx, "SELECT version, promoted FROM aliases WHERE model = ? AND name = ?", model, alias).
			Scan(&before.version, &before.promotion)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		action, after, err := decide(tx, before)
		if err != nil {
			return err
		}
		for _, may := range admit {
			if err := may(before.version, after.version); err != nil {
				return err
			}
		}
		if after != before {
			e := event{Event: Event{At: now(), Action: action, Model: model, Version: after.version,
				Alias: alias, Previous: before.version, Change: by}}
			if action == Promoted {
				e.replaced = sql.NullInt64{Int64: before.promotion, Valid: before.promotion != 0}
			}
			if err := settle(ctx, tx, e, after); err != nil {
				return err
			}
		}
		if after.version == 0 {
			return nil
		}
		moved, err = readAlias(ctx, tx, model, alias)
		return err
	})
	if err != nil {
		return Alias{}, fmt.Errorf("alias %s: %w", alias, err)
	}
	return moved, nil
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
