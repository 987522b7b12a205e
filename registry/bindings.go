package registry

import (
	"context"
	"errors"
	"fmt"

	"tkit/registry/metadata"
)

// A Binding says which version of a model an application gets.
type Binding = metadata.Binding

// ErrBound is the error of a change that would leave an application without its version.
var ErrBound = errors.New("an application is bound to it: bind the application to another one, or unbind it, first")

// A BindingChange is a change of what an application gets of a model.
type BindingChange struct {
	Application, Model string
	// To is the alias or the version of the model that the application is to get. The
	// zero Choice removes the binding: the application gets the default version again.
	To Choice
	By Change
	// Planned, if set, are the only versions between which the application may change.
	// If others would be, the error wraps ErrMoved.
	Planned *Transition
}

// A Choice is an alias, whose moves an application follows, or a version.
type Choice struct {
	Alias   string
	Version int
}

// Bind makes a change of a binding in one transaction and records it in the history. It
// returns the binding after the change, zero if it was removed. If the application is
// bound so already, nothing is recorded.
func (r *Registry) Bind(ctx context.Context, b BindingChange) (bound Binding, err error) {
	if err := b.check(); err != nil {
		return Binding{}, err
	}
	err = r.metadata.Update(ctx, func(w metadata.Writer) (err error) {
		bound, err = once(w, b.By.Key, b.asked(), func() (Binding, error) { return b.do(w) })
		return err
	})
	if err != nil {
		return Binding{}, b.named(err)
	}
	return bound, nil
}

func (b BindingChange) do(w metadata.Writer) (bound Binding, err error) {
	planned, before, err := b.transition(w)
	if err != nil {
		return bound, err
	}
	if b.Planned != nil && *b.Planned != planned {
		return bound, ErrMoved
	}
	if b.To == (Choice{before.Alias, before.Version}) {
		return before, nil
	}
	e := Event{Action: Bound, Application: b.Application, Model: b.Model, Alias: b.To.Alias, Version: b.To.Version, Previous: before.Version, Change: b.By}
	if b.To == (Choice{}) {
		e.Action = Unbound
	}
	id, err := record(w, e)
	if err != nil {
		return bound, err
	}
	if e.Action == Unbound {
		return bound, w.RemoveBinding(b.Application, b.Model)
	}
	if err := w.SetBinding(Binding{Application: b.Application, Model: b.Model, Alias: b.To.Alias, Version: b.To.Version}, id); err != nil {
		return bound, err
	}
	bound, _, err = w.Binding(b.Application, b.Model)
	return bound, err
}

// PlanBinding returns the versions between which a change would move an application now:
// none if it was made before with the same key.
func (r *Registry) PlanBinding(ctx context.Context, b BindingChange) (t Transition, err error) {
	if err := b.check(); err != nil {
		return t, err
	}
	err = r.metadata.View(ctx, func(rows metadata.Reader) error {
		bound, found, err := repeated[Binding](rows, b.By.Key, b.asked())
		if err != nil {
			return err
		}
		if found {
			t.To, err = chosen(rows, b.Model, Choice{bound.Alias, bound.Version})
			t.From = t.To
			return err
		}
		t, _, err = b.transition(rows)
		return err
	})
	return t, b.named(err)
}

// transition returns the versions before and after a change, and the binding before it.
// A version is 0 if there is none: an application without a binding may have no default
// version.
func (b BindingChange) transition(rows metadata.Reader) (t Transition, before Binding, err error) {
	latest, err := rows.Latest(b.Model)
	if err != nil {
		return t, before, err
	}
	if latest == 0 {
		return t, before, notFound(rows, Ref{Model: b.Model, Alias: b.To.Alias, Version: b.To.Version})
	}
	before, found, err := rows.Binding(b.Application, b.Model)
	if err != nil {
		return t, before, err
	}
	if !found && b.To == (Choice{}) {
		return t, before, fmt.Errorf("%w: it has no binding", ErrNotFound)
	}
	if t.From, err = chosen(rows, b.Model, Choice{before.Alias, before.Version}); err != nil {
		return t, before, err
	}
	if t.To, err = chosen(rows, b.Model, b.To); err != nil {
		return t, before, err
	}
	if t.To == 0 && b.To.Alias != "" {
		return t, before, notFound(rows, Ref{Model: b.Model, Alias: b.To.Alias})
	}
	if b.To.Version == 0 {
		return t, before, nil
	}
	v, found, err := rows.Version(b.Model, b.To.Version)
	switch {
	case err != nil:
	case !found:
		err = notFound(rows, Ref{Model: b.Model, Version: b.To.Version})
	case v.Deleted:
		err = deletedError(rows, v)
	default:
		err = checkAvailable(rows, b.Model, b.To.Version)
	}
	return t, before, err
}

// chosen returns the version that a choice means, 0 if its alias does not exist.
func chosen(rows metadata.Reader, model string, c Choice) (int, error) {
	if c.Version != 0 {
		return c.Version, nil
	}
	if c.Alias == "" {
		c.Alias = Production
	}
	s, err := rows.Standing(model, c.Alias)
	return s.Version, err
}

func (b BindingChange) check() error {
	err := errors.Join(CheckApplicationName(b.Application), CheckModelName(b.Model), checkChange(b.By))
	switch {
	case b.To.Alias != "" && b.To.Version != 0:
		err = errors.Join(err, fmt.Errorf("%w: an application is bound to an alias or a version, not to both", ErrInvalid))
	case b.To.Alias != "":
		err = errors.Join(err, CheckAliasName(b.To.Alias))
	case b.To.Version < 0:
		err = errors.Join(err, fmt.Errorf("%w: versions are numbered 1, 2, 3 …", ErrInvalid))
	}
	return err
}

// asked is what a change asks for. A repeated request may have another plan.
func (b BindingChange) asked() BindingChange {
	b.Planned = nil
	return b
}

// named adds the application to an error.
func (b BindingChange) named(err error) error {
	if err != nil {
		return fmt.Errorf("application %s: %w", b.Application, err)
	}
	return nil
}

// Bindings returns the bindings by application and model: those of all applications if
// application is "", and to all models if model is "".
func (r *Registry) Bindings(ctx context.Context, application, model string) (all []Binding, err error) {
	err = r.metadata.View(ctx, func(rows metadata.Reader) (err error) {
		all, err = rows.Bindings(application, model)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry: listing the bindings: %w", err)
	}
	return all, nil
}

// ResolveFor returns the manifest of the version of a model that an application gets now:
// the one that it is bound to or, without a binding, the default version. It takes about
// as long as Resolve.
func (r *Registry) ResolveFor(ctx context.Context, application, model string) (*Manifest, error) {
	v, found, err := r.metadata.FindBound(ctx, application, model)
	switch {
	case err != nil:
		return nil, fmt.Errorf("registry: resolving %s for the application %s: %w", model, application, err)
	case !found:
		return r.Resolve(ctx, Ref{Model: model})
	case v.Deleted:
		return nil, r.deleted(ctx, v)
	}
	return r.manifestOf(ctx, v)
}

// checkUnbound refuses to take an alias or a version away from applications.
func checkUnbound(rows metadata.Reader, model string, c Choice) error {
	bindings, err := rows.Bindings("", model)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if b.Alias == c.Alias && b.Version == c.Version {
			return fmt.Errorf("%s: %w", b.Application, ErrBound)
		}
	}
	return nil
}
