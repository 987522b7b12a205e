package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tkit/registry"
)

func TestProperties(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "1")
	register(t, r, "flowers", "2")
	promote(t, r, "flowers", 1, registry.Production)
	change := func(c registry.PropertyChange) error {
		c.Model, c.By = "flowers", ann
		return r.Change(t.Context(), c)
	}
	text := "of the garden"
	for range 2 { // the second time nothing changes
		err := change(registry.PropertyChange{Version: 1, Description: &text, State: registry.Deprecated, Tags: map[string]string{"stage": "test", "team": "a b"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := change(registry.PropertyChange{Version: 1, Tags: map[string]string{"team": ""}}); err != nil {
		t.Fatal(err)
	}
	p, err := r.Properties(t.Context(), "flowers", 1)
	if err != nil || p.Description != text || p.State != registry.Deprecated || len(p.Tags) != 1 || p.Tags["stage"] != "test" {
		t.Errorf("%+v, %v", p, err)
	}
	if of, err := r.Properties(t.Context(), "flowers", 0); err != nil || of.State != "" || of.Description != "" || of.Tags != nil {
		t.Errorf("of the model: %+v, %v", of, err)
	}
	history, err := r.History(t.Context(), "flowers")
	var details []string
	for _, e := range history {
		if e.Action == registry.Changed {
			details = append(details, e.Detail)
		}
	}
	if got := strings.Join(details, ", "); err != nil || got != "description, deprecated, tag stage=test, tag team=a b, tag team removed" {
		t.Errorf("history: %s, %v", got, err)
	}
	sound(t, r)

	// A deprecated version stays in production, and gets no new alias or application.
	if m, err := r.Resolve(t.Context(), ref(t, "flowers")); err != nil || m.Version != 1 {
		t.Errorf("production: %v, %v", m, err)
	}
	_, err1 := r.Promote(t.Context(), "flowers", 1, "champion", ann)
	_, err2 := r.Bind(t.Context(), registry.BindingChange{Application: "web", Model: "flowers", To: registry.Choice{Version: 1}, By: ann})
	if !errors.Is(err1, registry.ErrDeprecated) || !errors.Is(err2, registry.ErrDeprecated) {
		t.Errorf("a deprecated version: %v, %v", err1, err2)
	}
	if err := change(registry.PropertyChange{Version: 1, State: registry.Available}); err != nil {
		t.Fatal(err)
	}
	promote(t, r, "flowers", 1, "champion")
}

func TestPropertyLimits(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "1")
	long := strings.Repeat("a", 10_000)
	many := make(map[string]string)
	for i := range 65 {
		many[fmt.Sprint("t", i)] = "x"
	}
	for _, c := range []registry.PropertyChange{
		{Model: "flowers", Version: 1, Description: &long}, {Model: "flowers", Version: 1, State: "deleted"}, {Model: "flowers", State: registry.Deprecated},
		{Model: "flowers", Tags: map[string]string{"a/b": "x"}}, {Model: "flowers", Tags: map[string]string{"a": long}}, {Model: "flowers", Tags: many},
	} {
		c.By = ann
		if err := r.Change(t.Context(), c); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%.200v: %v", c, err)
		}
	}
	if err := r.Change(t.Context(), registry.PropertyChange{Model: "flowers", Version: 2, State: registry.Deprecated, By: ann}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a version that does not exist: %v", err)
	}
	if p, err := r.Properties(t.Context(), "flowers", 0); err != nil || len(p.Tags) != 0 {
		t.Errorf("a refused change left %v, %v", p, err)
	}
}
