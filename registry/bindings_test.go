package registry_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/registry"
	"tkit/registry/blobs"
	"tkit/registry/metadata"
	"tkit/registry/metadata/sqlite"
)

func bind(t *testing.T, r *registry.Registry, application string, to registry.Choice) registry.Binding {
	t.Helper()
	b, err := r.Bind(t.Context(), registry.BindingChange{Application: application, Model: "flowers", To: to, By: ann})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBindings(t *testing.T) {
	r := open(t, t.TempDir())
	for _, head := range []string{"1", "2", "3"} {
		register(t, r, "flowers", head)
	}
	promote(t, r, "flowers", 2, registry.Production)
	started := time.Now()
	web := bind(t, r, "web", registry.Choice{Alias: registry.Production})
	if web.Alias != registry.Production || web.Actor != "ann" || web.Since.IsZero() {
		t.Errorf("bound: %+v", web)
	}
	bind(t, r, "app", registry.Choice{Version: 1})
	if all, err := r.Bindings(t.Context(), "", "flowers"); err != nil || len(all) != 2 || all[0].Application != "app" {
		t.Errorf("bindings: %+v, %v", all, err)
	}
	change := registry.BindingChange{Application: "app", Model: "flowers", To: registry.Choice{Alias: registry.Production}, By: ann}
	plan, err := r.PlanBinding(t.Context(), change)
	if err != nil || plan != (registry.Transition{From: 1, To: 2}) {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	change.Planned = &plan
	promote(t, r, "flowers", 3, registry.Production)
	if _, err := r.Bind(t.Context(), change); !errors.Is(err, registry.ErrMoved) {
		t.Errorf("the alias has moved since the plan: %v", err)
	}
	state, err := r.At(t.Context(), "flowers", time.Now())
	if err != nil || len(state.Aliases) != 1 || state.Aliases[0].Version != 3 || len(state.Bindings) != 2 || state.Bindings[0].Version != 1 {
		t.Errorf("now: %+v, %v", state, err)
	}
	before, err := r.At(t.Context(), "flowers", started)
	if err != nil || len(before.Aliases) != 1 || before.Aliases[0].Version != 2 || len(before.Bindings) != 0 {
		t.Errorf("before: %+v, %v", before, err)
	}
	sound(t, r)
}

// Names that cannot be told apart or leave their place are refused.
func TestBindingNames(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "1")
	for _, name := range []string{"", "a/b", "..", "web\n", "wеb", "Web", strings.Repeat("a", 10_000)} { // the second e is Cyrillic
		for _, b := range []registry.BindingChange{
			{Application: name, Model: "flowers", To: registry.Choice{Version: 1}, By: ann},
			{Application: "web", Model: name, To: registry.Choice{Version: 1}, By: ann},
		} {
			if _, err := r.Bind(t.Context(), b); !errors.Is(err, registry.ErrInvalid) || len(err.Error()) > 1000 {
				t.Errorf("%.20q: %v", name, err)
			}
		}
	}
	for _, to := range []registry.Choice{{Version: -1}, {Alias: "a", Version: 1}, {Alias: "7"}} {
		if _, err := r.Bind(t.Context(), registry.BindingChange{Application: "web", Model: "flowers", To: to, By: ann}); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%+v: %v", to, err)
		}
	}
}

// The times of the history do not decrease when the clock goes backwards, so that a state
// at a time is one that was there. Verify finds a binding that the history lacks.
func TestClockAndDamage(t *testing.T) {
	home := t.TempDir()
	m, err := sqlite.Open(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	b, err := blobs.NewLocal(filepath.Join(home, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	r := registry.New(home, m, b)
	defer r.Close()
	register(t, r, "flowers", "1")
	ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	err = m.Update(t.Context(), func(w metadata.Writer) error {
		id, err := w.AddEvent(metadata.Event{At: ahead, Action: metadata.Bound, Application: "app", Model: "flowers", Version: 1, Change: ann})
		return errors.Join(err, w.SetBinding(metadata.Binding{Application: "app", Model: "flowers", Version: 1}, id))
	})
	if err != nil {
		t.Fatal(err)
	}
	if web := bind(t, r, "web", registry.Choice{Version: 1}); !web.Since.Equal(ahead) {
		t.Errorf("after an event at %v there is one at %v", ahead, web.Since)
	}
	sound(t, r)
	err = m.Update(t.Context(), func(w metadata.Writer) error {
		return errors.Join(w.RemoveBinding("web", "flowers"), w.SetBinding(metadata.Binding{Application: "app", Model: "flowers", Alias: "production"}, 2))
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := r.Verify(t.Context())
	if err != nil || len(problems) != 2 || problems[0].Subject != "application app" || problems[1].Subject != "application web" {
		t.Errorf("problems: %+v, %v", problems, err)
	}
}
