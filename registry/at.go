package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Assignments are what a model's aliases named, and its applications were bound to, at a time.
type Assignments struct {
	Aliases  []Alias   `json:"aliases"`  // by name
	Bindings []Binding `json:"bindings"` // by application
}

// At returns the assignments of a model at a time, according to its history.
func (r *Registry) At(ctx context.Context, model string, at time.Time) (Assignments, error) {
	events, err := r.History(ctx, model)
	if err != nil {
		return Assignments{}, err
	}
	return assignmentsAt(events, at), nil
}

// ParseTime reads a time of the history: RFC 3339, or a day, to whose end it lasts.
func ParseTime(text string) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Microsecond), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%w: time %.40q: write a day, such as 2026-03-01, or 2026-03-01T12:00:00Z", ErrInvalid, text)
	}
	return at, nil
}

// assignmentsAt replays the events of a model until a time. Times do not decrease from one
// event to the next; see record.
func assignmentsAt(events []Event, at time.Time) Assignments {
	aliases, bindings := make(map[string]Alias), make(map[string]Binding)
	for _, e := range events {
		if e.At.After(at) {
			break
		}
		switch e.Action {
		case Promoted, RolledBack:
			aliases[e.Alias] = Alias{Model: e.Model, Name: e.Alias, Version: e.Version, Since: e.At, Change: e.Change}
		case AliasRemoved:
			delete(aliases, e.Alias)
		case Bound:
			bindings[e.Application] = Binding{Application: e.Application, Model: e.Model, Alias: e.Alias, Version: e.Version, Since: e.At, Change: e.Change}
		case Unbound:
			delete(bindings, e.Application)
		}
	}
	return Assignments{
		Aliases:  slices.SortedFunc(maps.Values(aliases), func(a, b Alias) int { return cmp.Compare(a.Name, b.Name) }),
		Bindings: slices.SortedFunc(maps.Values(bindings), func(a, b Binding) int { return cmp.Compare(a.Application, b.Application) }),
	}
}
