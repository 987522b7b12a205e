package catalog

import (
	"errors"
	"testing"

	"tkit/access"
	"tkit/registry"
)

// With the right for one alias a caller moves that alias, and neither another one nor what
// applications get.
func TestRightForOneAlias(t *testing.T) {
	f := newFixture(t)
	bob := access.Caller{Principal: "user:bob"}
	promote := func(alias string) error {
		_, err := f.Promote(t.Context(), bob, m1, alias, change)
		return err
	}
	if err := promote("candidate"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("without a right: %v", err)
	}
	f.grant(t, bob.Principal, access.PromoteTo("candidate"))
	if err := promote("candidate"); err != nil {
		t.Errorf("with the right for the alias: %v", err)
	}
	_, rollback := f.Rollback(t.Context(), bob, live, change)
	_, bind := f.Bind(t.Context(), bob, registry.BindingChange{Application: "web", Model: "m", To: registry.Choice{Alias: "candidate"}, By: change})
	for what, err := range map[string]error{
		"production": promote(registry.Production), "rollback": rollback, "bind": bind, "remove": f.RemoveAlias(t.Context(), bob, live, change),
	} {
		if !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s with the right for another alias: %v", what, err)
		}
	}
	if err := f.RemoveAlias(t.Context(), bob, registry.Ref{Model: "m", Alias: "candidate"}, change); err != nil {
		t.Errorf("removing the alias: %v", err)
	}
}

// A binding needs the right to promote what the application gets now, too.
func TestBindingNeedsBothRights(t *testing.T) {
	f := newFixture(t)
	to := func(v int) error {
		_, err := f.Bind(t.Context(), olga, registry.BindingChange{Application: "web", Model: "m", To: registry.Choice{Version: v}, By: change})
		return err
	}
	for _, v := range []int{1, 2, 0} {
		if err := to(v); err != nil {
			t.Errorf("version %d: %v", v, err)
		}
	}
	bob := access.Caller{Principal: "user:bob"}
	if _, err := f.Bind(t.Context(), bob, registry.BindingChange{Application: "web", Model: "m", To: registry.Choice{Version: 1}, By: change}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("without a right: %v", err)
	}
	b, err := f.Bindings(t.Context(), bob, "web", "")
	if err != nil || len(b) != 0 {
		t.Errorf("bindings: %v, %v", b, err)
	}
}
