package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tkit/registry"
)

func TestAliases(t *testing.T) {
	for name, c := range map[string]struct {
		steps string // p1 promotes version 1, r rolls back, x removes the alias
		want  string // what the alias names after each step; "-" none, "!" the step is refused
	}{
		"promote":                       {"p1 p2 p3", "1 2 3"},
		"again is nothing":              {"p1 p1 p2 r r", "1 1 2 1 !"},
		"rollback walks back":           {"p1 p2 p3 r r r", "1 2 3 2 1 !"},
		"promote after rollback":        {"p1 p2 p3 r p4 r r", "1 2 3 2 4 2 1"},
		"back and forth":                {"p1 p2 p1 r r", "1 2 1 2 1"},
		"down to the first":             {"p2 p1 r", "2 1 2"},
		"promote what was rolled back":  {"p1 p2 r p2 r", "1 2 1 2 1"},
		"promote what is there already": {"p1 p2 p3 r p2 r", "1 2 3 2 2 1"},
		"remove":                        {"p1 p2 x r x p3 r", "1 2 - ! ! 3 !"},
		"nothing to roll back":          {"r x p1", "! ! 1"},
		"unknown version":               {"p9 p1 p9 p0", "! 1 ! !"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, t.TempDir())
			for range 4 {
				register(t, r, "flowers", "head")
			}
			promote(t, r, "flowers", 4, "champion") // stays where it is
			now, want := "-", strings.Fields(c.want)
			for i, step := range strings.Fields(c.steps) {
				err := act(t, r, step)
				if refused := want[i] == "!"; refused != (err != nil) || refused && !errors.Is(err, registry.ErrNotFound) {
					t.Fatalf("step %d, %s: %v", i, step, err)
				}
				if want[i] != "!" {
					now = want[i]
				}
				if got := named(t, r, "flowers"); got != now {
					t.Fatalf("after step %d, %s, the alias names %s, want %s", i, step, got, now)
				}
			}
			if got := named(t, r, "flowers@champion"); got != "4" {
				t.Errorf("another alias moved to %s", got)
			}
			sound(t, r)
		})
	}
}

func act(t *testing.T, r *registry.Registry, step string) error {
	switch step[0] {
	case 'p':
		a, err := r.Promote(t.Context(), "flowers", int(step[1]-'0'), registry.Production, ann)
		if err == nil && (a.Model != "flowers" || a.Name != registry.Production || a.Change != ann || a.Since.IsZero()) {
			t.Errorf("Promote = %+v", a)
		}
		return err
	case 'r':
		_, err := r.Rollback(t.Context(), "flowers", registry.Production, ann)
		return err
	default:
		return r.RemoveAlias(t.Context(), "flowers", registry.Production, ann)
	}
}

func named(t *testing.T, r *registry.Registry, text string) string {
	t.Helper()
	m, err := r.Resolve(t.Context(), ref(t, text))
	if errors.Is(err, registry.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m.Version)
}

func TestBadAliasChanges(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "head")
	for _, c := range []struct {
		model, alias, actor string
	}{
		{"flowers", "7", "ann"}, {"flowers", "", "ann"}, {"flowers", "Prod", "ann"}, {"FLOWERS", "production", "ann"},
		{"flowers", "production", ""}, {"flowers", "production", strings.Repeat("a", 200)}, {"flowers", "production", "\xff"},
	} {
		by := registry.Change{Actor: c.actor}
		_, promoting := r.Promote(t.Context(), c.model, 1, c.alias, by)
		_, rolling := r.Rollback(t.Context(), c.model, c.alias, by)
		removing := r.RemoveAlias(t.Context(), c.model, c.alias, by)
		for _, err := range []error{promoting, rolling, removing} {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%+v: %v, want ErrInvalid", c, err)
			}
		}
	}
	if _, err := r.Promote(t.Context(), "cars", 1, "production", ann); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("promoting an unknown model: %v", err)
	}
}

func TestHistoryAndLists(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "1")
	register(t, r, "cars", "1")
	register(t, r, "flowers", "2")
	bob := registry.Change{Actor: "bob", Reason: "better on tulips"}
	for _, version := range []int{1, 2} {
		if _, err := r.Promote(t.Context(), "flowers", version, registry.Production, bob); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Rollback(t.Context(), "flowers", registry.Production, ann); err != nil {
		t.Fatal(err)
	}
	promote(t, r, "flowers", 2, "champion")
	if err := r.RemoveAlias(t.Context(), "flowers", registry.Production, ann); err != nil {
		t.Fatal(err)
	}
	events, err := r.History(t.Context(), "flowers")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%d %s %d %s %d %s", e.ID, e.Action, e.Version, e.Alias, e.Previous, e.Actor))
	}
	want := []string{
		"1 register 1  0 ann", "3 register 2  0 ann", "4 promote 1 production 0 bob", "5 promote 2 production 1 bob",
		"6 rollback 1 production 2 ann", "7 promote 2 champion 0 ann", "8 remove-alias 0 production 1 ann",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the history is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if all, err := r.History(t.Context(), ""); err != nil || len(all) != 8 {
		t.Errorf("all history has %d events, %v", len(all), err)
	}
	if _, err := r.History(t.Context(), "boats"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the history of an unknown model: %v", err)
	}

	models, err := r.List(t.Context())
	if err != nil || len(models) != 2 {
		t.Fatalf("List = %v, %v", models, err)
	}
	if m := models[0]; m.Name != "cars" || m.Versions != 1 || m.Latest != 1 || len(m.Aliases) != 0 {
		t.Errorf("the first model is %+v", m)
	}
	if m := models[1]; m.Name != "flowers" || m.Versions != 2 || len(m.Aliases) != 1 || m.Aliases[0].Name != "champion" || m.Created.IsZero() {
		t.Errorf("the second model is %+v", m)
	}
	versions, err := r.Versions(t.Context(), "flowers")
	if err != nil || len(versions) != 2 {
		t.Fatalf("Versions = %v, %v", versions, err)
	}
	if v := versions[1]; v.Manifest.Version != 2 || len(v.Aliases) != 1 || len(versions[0].Aliases) != 0 {
		t.Errorf("the versions are %+v", versions)
	}
	if _, err := r.Versions(t.Context(), "boats"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the versions of an unknown model: %v", err)
	}
}
