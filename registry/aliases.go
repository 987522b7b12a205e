package registry

import (
	"context"
	"errors"
	"fmt"

	"tkit/registry/metadata"
)

// An Alias is a movable name for a version of a model.
type Alias = metadata.Alias

// An AliasMove is a change of an alias.
type AliasMove struct {
	Action  Action // Promoted, RolledBack or AliasRemoved
	Model   string
	Alias   string
	Version int // that the alias will name; only for Promoted
	By      Change
	// Planned, if set, is the only allowed transition. If the alias has moved
	// since the plan, the error wraps ErrMoved.
	Planned *Transition
}

// A Transition is from the version that an alias names to the one it will name; 0
// is none.
type Transition struct{ From, To int }

// ErrMoved is the error of a planned move whose alias has been moved since.
var ErrMoved = errors.New("it was moved in the meantime: try again")

// Promote makes an alias name a version, from the next Resolve on. The alias is
// created if it does not exist. If it already names the version, nothing happens
// and nothing is recorded.
func (r *Registry) Promote(ctx context.Context, model string, version int, alias string, by Change) (Alias, error) {
	return r.Move(ctx, AliasMove{Action: Promoted, Model: model, Alias: alias, Version: version, By: by})
}

// Rollback undoes the promotion in force: the alias names again what it named
// before. A second Rollback undoes the promotion before that one, and so on
// back to the first, which cannot be undone: RemoveAlias does that. A promotion
// after a Rollback starts from the result of the Rollback; what was rolled back
// can no longer be reached.
//
//	promote 1, promote 2, promote 3   → 3
//	rollback                          → 2
//	promote 4                         → 4
//	rollback, rollback                → 2, then 1
func (r *Registry) Rollback(ctx context.Context, model, alias string, by Change) (Alias, error) {
	return r.Move(ctx, AliasMove{Action: RolledBack, Model: model, Alias: alias, By: by})
}

// RemoveAlias removes an alias. A later Promote creates a new one, and Rollback does
// not undo the removal.
func (r *Registry) RemoveAlias(ctx context.Context, model, alias string, by Change) error {
	_, err := r.Move(ctx, AliasMove{Action: AliasRemoved, Model: model, Alias: alias, By: by})
	return err
}

// Move makes a move in one transaction and records it in the history. It returns
// the alias after the move, zero if it was removed. If the alias already names
// the version, nothing is recorded.
func (r *Registry) Move(ctx context.Context, m AliasMove) (moved Alias, err error) {
	if err := m.check(); err != nil {
		return Alias{}, err
	}
	err = r.metadata.Update(ctx, func(w metadata.Writer) (err error) {
		moved, err = once(w, m.By.Key, m.asked(), func() (Alias, error) { return m.do(w) })
		return err
	})
	if err != nil {
		return Alias{}, m.named(err)
	}
	return moved, nil
}

// asked is what a move asks for. A repeated request may have another plan.
func (m AliasMove) asked() AliasMove {
	m.Planned = nil
	return m
}

// do makes a move in a transaction.
func (m AliasMove) do(w metadata.Writer) (moved Alias, err error) {
	before, after, err := target(w, m)
	if err != nil {
		return moved, err
	}
	if m.Planned != nil && *m.Planned != (Transition{before.Version, after.Version}) {
		return moved, ErrMoved
	}
	if after != before {
		if err := settle(w, m, before, after); err != nil {
			return moved, err
		}
	}
	if after.Version == 0 {
		return moved, nil
	}
	moved, found, err := w.Alias(m.Model, m.Alias)
	if err == nil && !found {
		err = fmt.Errorf("%w: the alias is missing", ErrCorrupt)
	}
	return moved, err
}

// Plan returns the transition that a move would make now: none if it was made before with
// the same key.
func (r *Registry) Plan(ctx context.Context, m AliasMove) (t Transition, err error) {
	if err := m.check(); err != nil {
		return t, err
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		moved, found, err := repeated[Alias](rows, m.By.Key, m.asked())
		if found || err != nil {
			t = Transition{moved.Version, moved.Version}
			return err
		}
		before, after, err := target(rows, m)
		t = Transition{before.Version, after.Version}
		return err
	})
	return t, m.named(err)
}

func (m AliasMove) check() error {
	return errors.Join(CheckModelName(m.Model), CheckAliasName(m.Alias), checkChange(m.By))
}

// named adds the alias to an error.
func (m AliasMove) named(err error) error {
	if err != nil {
		return fmt.Errorf("alias %s: %w", m.Alias, err)
	}
	return nil
}

// target returns the standing of an alias before and after a move. A standing after
// it without a promotion is due to the move.
func target(rows metadata.Reader, m AliasMove) (before, after metadata.Standing, err error) {
	if before, err = rows.Standing(m.Model, m.Alias); err != nil {
		return before, after, err
	}
	if m.Action != Promoted && before.Version == 0 {
		return before, after, notFound(rows, Ref{Model: m.Model, Alias: m.Alias})
	}
	switch m.Action {
	case Promoted:
		if m.Version == before.Version {
			return before, before, nil
		}
		v, found, err := rows.Version(m.Model, m.Version)
		switch {
		case err != nil:
		case !found:
			err = notFound(rows, Ref{Model: m.Model, Version: m.Version})
		case v.Deleted:
			err = deletedError(rows, v)
		default:
			err = checkAvailable(rows, m.Model, m.Version)
		}
		return before, metadata.Standing{Version: m.Version}, err
	case RolledBack:
		after, err = rows.Replaced(before.Promotion)
		if err == nil && after.Version == 0 {
			err = fmt.Errorf("%s@%s: %w: it named no version before %d; promote one, or remove the alias",
				m.Model, m.Alias, ErrNotFound, before.Version)
		}
		if err == nil {
			err = restorable(rows, m, after.Version)
		}
		return before, after, err
	case AliasRemoved:
		return before, after, checkUnbound(rows, m.Model, Choice{Alias: m.Alias})
	}
	return before, after, fmt.Errorf("%w: %q does not move an alias", ErrInvalid, m.Action)
}

// restorable refuses to roll back to a deleted version.
func restorable(rows metadata.Reader, m AliasMove, version int) error {
	v, found, err := rows.Version(m.Model, version)
	if err != nil || !found || !v.Deleted {
		return err
	}
	return fmt.Errorf("the version that it named before no longer exists: %w; promote another", deletedError(rows, v))
}

// settle records a move and gives the alias its new standing.
func settle(w metadata.Writer, m AliasMove, before, after metadata.Standing) error {
	e := Event{Action: m.Action, Model: m.Model, Version: after.Version, Alias: m.Alias, Previous: before.Version, Change: m.By}
	if m.Action == Promoted {
		e.Replaced = before.Promotion
	}
	id, err := record(w, e)
	if err != nil {
		return err
	}
	if after.Version == 0 {
		return w.RemoveAlias(m.Model, m.Alias)
	}
	if after.Promotion == 0 {
		after.Promotion = id
	}
	return w.SetAlias(m.Model, m.Alias, after, id)
}
