package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tkit/registry/metadata"
)

// The reasons why a version is not removed.
var (
	// ErrAliased is the error of a version that an alias names.
	ErrAliased = errors.New("an alias names it: remove the alias, or promote another version, first")
	// ErrChanged is the error of a planned removal of a model that has changed since.
	ErrChanged = errors.New("its versions have changed in the meantime: try again")
)

// A DeletedError is the error of a reference to a deleted version. It wraps ErrNotFound.
type DeletedError struct {
	Ref Ref // with the number
	Deletion
}

func (e *DeletedError) Error() string {
	text := fmt.Sprintf("%s: deleted at %s by %s", e.Ref, e.At.Format(time.RFC3339), e.Actor)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

func (e *DeletedError) Unwrap() error { return ErrNotFound }

// deleted returns the error of a deleted version.
func (r *Registry) deleted(ctx context.Context, v metadata.Version) (err error) {
	failed := r.metadata.View(ctx, func(rows metadata.Reader) error {
		err = deletedError(rows, v)
		return nil
	})
	return errors.Join(failed, err)
}

func deletedError(rows metadata.Reader, v metadata.Version) error {
	all, err := rows.Deletions(v.Model)
	if err != nil {
		return err
	}
	e := &DeletedError{Ref: Ref{Model: v.Model, Version: v.Number}}
	for _, d := range all {
		if d.Number == v.Number {
			e.Deletion = Deletion{d.At, d.Change}
		}
	}
	return e
}

// A Removal is a removal of a version, or of all versions of a model.
type Removal struct {
	Model   string
	Version int // 0: all
	By      Change
	// Planned, if set, are the only versions that may be removed. If others would be,
	// the error wraps ErrChanged.
	Planned []int
}

// PlanRemoval returns the manifests of the versions that a removal would remove now, the
// oldest first, or that it has removed if it was made before with the same key. A version
// that an alias names is one of them: Remove refuses it.
func (r *Registry) PlanRemoval(ctx context.Context, m Removal) (planned []*Manifest, err error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		found, err := m.planned(rows)
		if err != nil {
			return err
		}
		for _, v := range found {
			one, err := r.manifest(rows, v)
			if err != nil {
				return err
			}
			planned = append(planned, one)
		}
		return nil
	})
	return planned, m.named(err)
}

func (m Removal) planned(rows metadata.Reader) ([]metadata.Version, error) {
	removed, found, err := repeated[[]int](rows, m.By.Key, m.asked())
	if err != nil {
		return nil, err
	}
	if !found {
		return m.removable(rows)
	}
	all, err := rows.Versions(m.Model)
	return slices.DeleteFunc(all, func(v metadata.Version) bool { return !slices.Contains(removed, v.Number) }), err
}

// Remove deletes a version, or all versions of a model, in one transaction, and records
// each in the history. It returns their numbers. A version that an alias names is refused
// with ErrAliased; one that was deleted before, with a DeletedError.
//
// A deletion is final. The number is not used again, and manifest and history remain, so
// that what restricts the versions built on it stays known. Those have blobs of their own.
// Collect removes the blobs that no other version needs.
func (r *Registry) Remove(ctx context.Context, m Removal) (removed []int, err error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	err = r.metadata.Update(ctx, func(w metadata.Writer) (err error) {
		removed, err = once(w, m.By.Key, m.asked(), func() ([]int, error) { return m.do(w) })
		return err
	})
	if err != nil {
		return nil, m.named(err)
	}
	return removed, nil
}

// asked is what a removal asks for. A repeated request may have another plan.
func (m Removal) asked() Removal {
	m.Planned = nil
	return m
}

// do makes a removal in a transaction.
func (m Removal) do(w metadata.Writer) (removed []int, err error) {
	found, err := m.removable(w)
	if err != nil {
		return nil, err
	}
	for _, v := range found {
		removed = append(removed, v.Number)
	}
	if m.Planned != nil && !slices.Equal(m.Planned, removed) {
		return nil, ErrChanged
	}
	return removed, m.delete(w, found)
}

func (m Removal) check() error { return errors.Join(CheckModelName(m.Model), checkChange(m.By)) }

// named adds the model or version to an error.
func (m Removal) named(err error) error {
	if err != nil {
		return fmt.Errorf("removing %s: %w", Ref{Model: m.Model, Version: m.Version}, err)
	}
	return nil
}

// removable returns the versions that a removal is about, which are not deleted yet.
func (m Removal) removable(rows metadata.Reader) ([]metadata.Version, error) {
	all, err := rows.Versions(m.Model)
	if err != nil {
		return nil, err
	}
	var found []metadata.Version
	for _, v := range all {
		switch {
		case m.Version != 0 && v.Number != m.Version:
		case !v.Deleted:
			found = append(found, v)
		case m.Version != 0:
			return nil, deletedError(rows, v)
		}
	}
	if len(found) == 0 {
		return nil, notFound(rows, Ref{Model: m.Model, Version: m.Version})
	}
	return found, nil
}

// delete deletes versions that no alias names.
func (m Removal) delete(w metadata.Writer, found []metadata.Version) error {
	aliases, err := w.Aliases(m.Model)
	if err != nil {
		return err
	}
	for _, v := range found {
		var names []string
		for _, a := range aliases {
			if a.Version == v.Number {
				names = append(names, Ref{Model: a.Model, Alias: a.Name}.String())
			}
		}
		if len(names) > 0 {
			return fmt.Errorf("version %d (%s): %w", v.Number, strings.Join(names, ", "), ErrAliased)
		}
		if err := checkUnbound(w, v.Model, Choice{Version: v.Number}); err != nil {
			return fmt.Errorf("version %d: %w", v.Number, err)
		}
		id, err := record(w, Event{Action: Deleted, Model: v.Model, Version: v.Number, Change: m.By})
		if err != nil {
			return err
		}
		if err := w.DeleteVersion(v.Model, v.Number, id); err != nil {
			return err
		}
	}
	return nil
}
