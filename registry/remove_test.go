package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tkit/registry"
)

func remove(t testing.TB, r *registry.Registry, model string, version int) {
	t.Helper()
	if _, err := r.Remove(t.Context(), registry.Removal{Model: model, Version: version, By: ann}); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveVersion(t *testing.T) {
	home := t.TempDir()
	r := open(t, home)
	for i := range 3 {
		register(t, r, "flowers", fmt.Sprint("head ", i+1))
	}
	promote(t, r, "flowers", 1, registry.Production)
	promote(t, r, "flowers", 2, registry.Production)
	second := registry.Removal{Model: "flowers", Version: 2, By: ann}
	if _, err := r.Remove(t.Context(), second); !errors.Is(err, registry.ErrAliased) || !strings.Contains(err.Error(), "flowers@production") {
		t.Errorf("a version in production: %v", err)
	}
	promote(t, r, "flowers", 3, registry.Production)
	if removed, err := r.Remove(t.Context(), second); err != nil || !slices.Equal(removed, []int{2}) {
		t.Fatalf("removed %v, %v", removed, err)
	}
	var deleted *registry.DeletedError
	for name, err := range map[string]error{
		"resolve":   failure(r.Resolve(t.Context(), ref(t, "flowers@2"))),
		"show":      failure(r.Version(t.Context(), ref(t, "flowers@2"))),
		"files":     failure(r.Files(t.Context(), ref(t, "flowers@2"), "")),
		"promote":   failure(r.Promote(t.Context(), "flowers", 2, "champion", ann)),
		"roll back": failure(r.Rollback(t.Context(), "flowers", registry.Production, ann)),
		"again":     failure(r.Remove(t.Context(), second)),
	} {
		if !errors.As(err, &deleted) || !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "by ann: a test") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, err := r.Registered(t.Context(), ref(t, "flowers@2")); err != nil || m.Version != 2 {
		t.Errorf("its manifest: %v, %v", m, err)
	}
	sound(t, r)
	c, err := r.Collect(t.Context(), false)
	if err != nil || len(c.Blobs) != 1 { // the head; the trunk is shared
		t.Errorf("collected %v, %v", c.Blobs, err)
	}
	sound(t, r)
}

func failure[T any](_ T, err error) error { return err }

func TestRemoveModel(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "cars", "head")
	for range 3 {
		register(t, r, "flowers", "head")
	}
	remove(t, r, "flowers", 2)
	promote(t, r, "flowers", 3, "champion")
	all := registry.Removal{Model: "flowers", By: ann}
	if _, err := r.Remove(t.Context(), all); !errors.Is(err, registry.ErrAliased) || !strings.Contains(err.Error(), "version 3 (flowers@champion)") {
		t.Errorf("a model with an alias: %v", err)
	}
	if _, err := r.Resolve(t.Context(), ref(t, "flowers@1")); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	if err := r.RemoveAlias(t.Context(), "flowers", "champion", ann); err != nil {
		t.Fatal(err)
	}
	planned, err := r.PlanRemoval(t.Context(), all)
	if err != nil || len(planned) != 2 || planned[0].Version != 1 || planned[1].Version != 3 {
		t.Errorf("planned %v, %v", planned, err)
	}
	stale := all
	stale.Planned = []int{1, 2, 3}
	if _, err := r.Remove(t.Context(), stale); !errors.Is(err, registry.ErrChanged) {
		t.Errorf("other versions than planned: %v", err)
	}
	if removed, err := r.Remove(t.Context(), all); err != nil || !slices.Equal(removed, []int{1, 3}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	for name, err := range map[string]error{
		"resolve": failure(r.Resolve(t.Context(), ref(t, "flowers"))),
		"again":   failure(r.Remove(t.Context(), all)),
		"promote": failure(r.Promote(t.Context(), "flowers", 9, "champion", ann)),
	} {
		if !errors.Is(err, registry.ErrNotFound) || !strings.Contains(err.Error(), "deleted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	models, err := r.List(t.Context())
	if err != nil || len(models) != 2 || models[1].Versions != 0 || models[1].Latest != 0 || !slices.Equal(models[1].Deleted, []int{1, 2, 3}) {
		t.Errorf("listed %+v, %v", models, err)
	}
	versions, err := r.Versions(t.Context(), "flowers")
	if err != nil || len(versions) != 3 || versions[0].Deleted == nil || versions[0].Deleted.Change != ann {
		t.Errorf("versions %+v, %v", versions, err)
	}
	events, err := r.History(t.Context(), "flowers")
	if err != nil || events[len(events)-1].Action != registry.Deleted || events[len(events)-1].Version != 3 {
		t.Errorf("history %+v, %v", events, err)
	}
	if v := register(t, r, "flowers", "head"); v.Manifest.Version != 4 {
		t.Errorf("the next version is %d", v.Manifest.Version)
	}
	if models, err = r.List(t.Context()); err != nil || !slices.Equal(models[1].Refs(), []string{"flowers", "flowers@4"}) || !models[1].Has(4) || models[1].Has(3) {
		t.Errorf("listed %+v, %v", models, err)
	}
	sound(t, r)
}

// A version stays what it was when the version that it was built on is deleted.
func TestRemoveBaseOfAVersion(t *testing.T) {
	r := open(t, t.TempDir())
	base := register(t, r, "flowers", "head 1")
	built := registration("roses", "head 2")
	built.Manifest.Lineage.Base.Version = base.Manifest.Ref().String()
	v, err := r.Register(t.Context(), built)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, r, "flowers", 0)
	if c, err := r.Collect(t.Context(), false); err != nil || len(c.Blobs) != 1 {
		t.Errorf("collected %v, %v", c.Blobs, err)
	}
	lineage, err := r.Lineage(t.Context(), v.Manifest)
	if err != nil || len(lineage) != 2 || lineage[1].Ref() != base.Manifest.Ref() {
		t.Errorf("lineage %v, %v", lineage, err)
	}
	if _, err := r.Files(t.Context(), v.Manifest.Ref(), ""); err != nil {
		t.Error(err)
	}
	sound(t, r)
}

func TestRemoveRefuses(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "head")
	for want, m := range map[error]registry.Removal{
		registry.ErrInvalid:  {Model: "flowers", Version: 1},
		registry.ErrNotFound: {Model: "flowers", Version: 2, By: ann},
	} {
		if _, err := r.Remove(t.Context(), m); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", m, err, want)
		}
	}
	for text, want := range map[string]registry.Ref{"flowers": {Model: "flowers"}, "flowers@7": {Model: "flowers", Version: 7}, "flowers@production": {}, "Flowers": {}} {
		if got, err := registry.ParseVersions(text); got != want || (err == nil) != (want != registry.Ref{}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
