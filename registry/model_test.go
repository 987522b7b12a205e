package registry_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tkit/internal/postgres"
	"tkit/internal/postgrestest"
	"tkit/registry"
)

// -rapid.checks and -rapid.steps make the tests with random requests longer.
func init() {
	for name, value := range map[string]string{"rapid.checks": "20", "rapid.steps": "30", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// A promotion is of a version, and replaced another one, or none.
type promotion struct {
	version  int
	replaced *promotion
}

// A machine makes random requests to two processes that share a registry, and compares
// it with a model in memory.
type machine struct {
	t          *testing.T
	registries []*registry.Registry
	model      string // of versions
	versions   int
	deleted    map[int]bool
	aliases    map[string]*promotion // nil: none
	bindings   map[string]registry.Choice
	events     int
	keys       int
	last       func(r *registry.Registry) (string, error) // repeats the last request
	result     string                                     // of the last request
}

func (m *machine) any(t *rapid.T) *registry.Registry {
	return m.registries[rapid.IntRange(0, len(m.registries)-1).Draw(t, "process")]
}

// by has a key that was not used before.
func (m *machine) by() registry.Change {
	m.keys++
	return registry.Change{Actor: "ann", Key: fmt.Sprintf("%s %d", m.model, m.keys)}
}

// do makes a request, which must fail for the given reason, nil for none, and says whether
// it succeeded.
func (m *machine) do(t *rapid.T, want error, request func(*registry.Registry) (string, error)) bool {
	result, err := request(m.any(t))
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want %v", err, want)
	}
	if err != nil {
		return false
	}
	m.last, m.result = request, result
	return true
}

func (m *machine) register(t *rapid.T) {
	n := registration(m.model, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "head"))
	head := n.Head
	n.By = m.by()
	m.do(t, nil, func(r *registry.Registry) (string, error) {
		n.Trunk, n.Head = registration(m.model, "").Trunk, head
		v, err := r.Register(m.t.Context(), n)
		if err != nil {
			return "", err
		}
		head = registry.Stored(v.Manifest.Head.Digest) // the reader was read
		return fmt.Sprint(v.Manifest.Version, v.Digest), nil
	})
	m.versions++
	m.events++
}

func (m *machine) exists(version int) error {
	if version > m.versions || m.deleted[version] {
		return registry.ErrNotFound
	}
	return nil
}

func (m *machine) promote(t *rapid.T) {
	alias := rapid.SampledFrom([]string{registry.Production, "candidate"}).Draw(t, "alias")
	version := rapid.IntRange(1, m.versions+1).Draw(t, "version")
	now := m.aliases[alias]
	want := m.exists(version)
	var planned *registry.Transition
	if rapid.IntRange(0, 3).Draw(t, "plan") == 0 { // what the caller saw
		planned = &registry.Transition{From: rapid.IntRange(0, m.versions).Draw(t, "seen"), To: version}
		if seen := planned.From; want == nil && (now == nil && seen != 0 || now != nil && seen != now.version) {
			want = registry.ErrMoved
		}
	}
	by := m.by()
	done := m.do(t, want, func(r *registry.Registry) (string, error) {
		a, err := r.Move(m.t.Context(), registry.AliasMove{Action: registry.Promoted, Model: m.model, Alias: alias, Version: version, By: by, Planned: planned})
		return fmt.Sprint(a), err
	})
	if done && (now == nil || now.version != version) {
		m.aliases[alias] = &promotion{version, now}
		m.events++
	}
}

func (m *machine) rollback(t *rapid.T) {
	alias := rapid.SampledFrom([]string{registry.Production, "candidate"}).Draw(t, "alias")
	now := m.aliases[alias]
	var want error
	if now == nil || now.replaced == nil || m.deleted[now.replaced.version] {
		want = registry.ErrNotFound
	}
	by := m.by()
	done := m.do(t, want, func(r *registry.Registry) (string, error) {
		a, err := r.Rollback(m.t.Context(), m.model, alias, by)
		return fmt.Sprint(a), err
	})
	if done {
		m.aliases[alias] = now.replaced
		m.events++
	}
}

func (m *machine) removeAlias(t *rapid.T) {
	alias := rapid.SampledFrom([]string{registry.Production, "candidate"}).Draw(t, "alias")
	var want error
	if m.bound(registry.Choice{Alias: alias}) {
		want = registry.ErrBound
	}
	if m.aliases[alias] == nil {
		want = registry.ErrNotFound
	}
	by := m.by()
	done := m.do(t, want, func(r *registry.Registry) (string, error) {
		return "", r.RemoveAlias(m.t.Context(), m.model, alias, by)
	})
	if done {
		delete(m.aliases, alias)
		m.events++
	}
}

func (m *machine) remove(t *rapid.T) {
	version := rapid.IntRange(1, m.versions+1).Draw(t, "version")
	want := m.exists(version)
	if m.bound(registry.Choice{Version: version}) {
		want = registry.ErrBound
	}
	for _, now := range m.aliases {
		if now != nil && now.version == version {
			want = registry.ErrAliased
		}
	}
	by := m.by()
	done := m.do(t, want, func(r *registry.Registry) (string, error) {
		removed, err := r.Remove(m.t.Context(), registry.Removal{Model: m.model, Version: version, By: by})
		return fmt.Sprint(removed), err
	})
	if done {
		m.deleted[version] = true
		m.events++
	}
}

// bound reports whether an application is bound to an alias or a version.
func (m *machine) bound(to registry.Choice) bool {
	return slices.Contains(slices.Collect(maps.Values(m.bindings)), to)
}

func (m *machine) bind(t *rapid.T) {
	b := registry.BindingChange{Application: rapid.SampledFrom([]string{"web", "app"}).Draw(t, "application"), Model: m.model, By: m.by()}
	var want error
	switch rapid.IntRange(0, 2).Draw(t, "to") {
	case 0:
		if m.bindings[b.Application] == b.To {
			want = registry.ErrNotFound
		}
	case 1:
		b.To.Alias = rapid.SampledFrom([]string{registry.Production, "candidate"}).Draw(t, "alias")
		if m.aliases[b.To.Alias] == nil {
			want = registry.ErrNotFound
		}
	default:
		b.To.Version = rapid.IntRange(1, m.versions+1).Draw(t, "version")
		want = m.exists(b.To.Version)
	}
	if m.versions == 0 {
		want = registry.ErrNotFound
	}
	done := m.do(t, want, func(r *registry.Registry) (string, error) {
		bound, err := r.Bind(m.t.Context(), b)
		return fmt.Sprint(bound), err
	})
	if !done || m.bindings[b.Application] == b.To {
		return
	}
	m.events++
	if b.To == (registry.Choice{}) {
		delete(m.bindings, b.Application)
	} else {
		m.bindings[b.Application] = b.To
	}
}

// gets is the version that an application gets, 0 for none.
func (m *machine) gets(application string) int {
	to := m.bindings[application]
	if to.Version != 0 {
		return to.Version
	}
	if now := m.aliases[cmp.Or(to.Alias, registry.Production)]; now != nil {
		return now.version
	}
	return 0
}

// repeat makes the last request again, as a client that got no answer.
func (m *machine) repeat(t *rapid.T) {
	if m.last == nil {
		t.Skip("nothing was done")
	}
	result, err := m.last(m.any(t))
	if err != nil || result != m.result {
		t.Fatalf("repeated: %s, %v; first it was %s", result, err, m.result)
	}
}

// check compares the registry with the model.
func (m *machine) check(t *rapid.T) {
	ctx, r := m.t.Context(), m.any(t)
	if m.versions == 0 {
		return
	}
	versions, err1 := r.Versions(ctx, m.model)
	history, err2 := r.History(ctx, m.model)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(versions) != m.versions || len(history) != m.events {
		t.Fatalf("%d versions and %d events, want %d and %d", len(versions), len(history), m.versions, m.events)
	}
	for i, v := range versions {
		if v.Manifest.Version != i+1 || (v.Deleted != nil) != m.deleted[i+1] {
			t.Fatalf("in place %d is version %d, deleted: %v", i+1, v.Manifest.Version, v.Deleted)
		}
	}
	for _, alias := range []string{registry.Production, "candidate"} {
		got, err := r.Resolve(ctx, registry.Ref{Model: m.model, Alias: alias})
		now := m.aliases[alias]
		switch {
		case now == nil && !errors.Is(err, registry.ErrNotFound):
			t.Fatalf("%s names %v, %v, but was removed", alias, got, err)
		case now != nil && (err != nil || got.Version != now.version):
			t.Fatalf("%s names %v, %v, want %d", alias, got, err, now.version)
		}
		if now != nil && !slices.Contains(versions[now.version-1].Aliases, alias) {
			t.Fatalf("version %d has the aliases %v", now.version, versions[now.version-1].Aliases)
		}
	}
}

// checkApplications compares what applications get.
func (m *machine) checkApplications(t *rapid.T) {
	if m.versions == 0 {
		return
	}
	r := m.any(t)
	for _, application := range []string{"web", "app", "other"} {
		got, err := r.ResolveFor(m.t.Context(), application, m.model)
		switch want := m.gets(application); {
		case want == 0 && !errors.Is(err, registry.ErrNotFound):
			t.Fatalf("%s gets %v, %v, want none", application, got, err)
		case want != 0 && (err != nil || got.Version != want):
			t.Fatalf("%s gets %v, %v, want %d", application, got, err, want)
		}
	}
	state, err := r.At(m.t.Context(), m.model, time.Now().Add(time.Hour))
	if err != nil || len(state.Bindings) != len(m.bindings) {
		t.Fatalf("according to the history there are the bindings %+v, %v; want %v", state.Bindings, err, m.bindings)
	}
	for _, a := range state.Aliases {
		if now := m.aliases[a.Name]; now == nil || now.version != a.Version {
			t.Fatalf("according to the history: %+v", a)
		}
	}
}

// Both stores do what a model in memory does.
func TestStateMachine(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		home := t.TempDir()
		stateMachine(t, []*registry.Registry{open(t, home), open(t, home)})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		address, home := sharedDatabase(t), t.TempDir()
		stateMachine(t, []*registry.Registry{openShared(t, home, address), openShared(t, home, address)})
	})
}

func stateMachine(t *testing.T, registries []*registry.Registry) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &machine{t: t, registries: registries, model: fmt.Sprint("m", run), deleted: map[int]bool{}, aliases: map[string]*promotion{}, bindings: map[string]registry.Choice{}}
		rt.Repeat(map[string]func(*rapid.T){
			"register": m.register, "promote": m.promote, "roll back": m.rollback, "remove alias": m.removeAlias,
			"remove": m.remove, "bind": m.bind, "repeat": m.repeat,
			"": func(t *rapid.T) { m.check(t); m.checkApplications(t) },
		})
	})
	sound(t, registries[0])
}

// More requests at once than a process has connections do not wait for each other, also
// if they fail.
func TestManyRequests(t *testing.T) {
	r := openShared(t, t.TempDir(), sharedDatabase(t))
	register(t, r, "flowers", "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var asking sync.WaitGroup
	for range 40 {
		asking.Go(func() {
			_, plan := r.Plan(ctx, registry.AliasMove{Action: registry.Promoted, Model: "flowers", Alias: registry.Production, Version: 7, By: ann})
			_, move := r.Promote(ctx, "flowers", 7, registry.Production, ann)
			_, remove := r.Remove(ctx, registry.Removal{Model: "flowers", Version: 7, By: ann})
			for _, err := range []error{plan, move, remove} {
				if !errors.Is(err, registry.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	asking.Wait()
}

// sharedDatabase is the address of a new database that is initialised.
func sharedDatabase(t *testing.T) string {
	t.Helper()
	address := postgrestest.Start(t).Database(t)
	if err := postgres.Initialise(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return address
}

func openShared(t *testing.T, home, address string) *registry.Registry {
	t.Helper()
	r, err := registry.OpenShared(t.Context(), home, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A key is of one request: another one with it is refused, and changes nothing.
func TestKeys(t *testing.T) {
	r := open(t, t.TempDir())
	register(t, r, "flowers", "1")
	register(t, r, "flowers", "2")
	by := registry.Change{Actor: "ann", Key: "k"}
	if _, err := r.Promote(t.Context(), "flowers", 1, registry.Production, by); err != nil {
		t.Fatal(err)
	}
	promote(t, r, "flowers", 2, registry.Production)
	// The repeated request does not undo the later one.
	again, err := r.Promote(t.Context(), "flowers", 1, registry.Production, by)
	now, err2 := r.Resolve(t.Context(), ref(t, "flowers"))
	if err != nil || err2 != nil || again.Version != 1 || now.Version != 2 {
		t.Errorf("repeated: %+v, %v; production is %v, %v", again, err, now, err2)
	}
	plan, err := r.Plan(t.Context(), registry.AliasMove{Action: registry.Promoted, Model: "flowers", Alias: registry.Production, Version: 1, By: by})
	if err != nil || plan.From != plan.To {
		t.Errorf("the plan of a repeated request: %+v, %v", plan, err)
	}
	n := registration("flowers", "3")
	n.By = by
	_, err1 := r.Promote(t.Context(), "flowers", 2, registry.Production, by)
	_, err2 = r.Register(t.Context(), n)
	_, err3 := r.Remove(t.Context(), registry.Removal{Model: "flowers", Version: 1, By: by})
	_, err4 := r.PlanRemoval(t.Context(), registry.Removal{Model: "flowers", Version: 1, By: by})
	for _, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, registry.ErrKeyUsed) {
			t.Errorf("another request with the key: %v", err)
		}
	}
	removal := registry.Removal{Model: "flowers", Version: 1, By: registry.Change{Actor: "ann", Key: "r"}}
	for range 2 {
		planned, err1 := r.PlanRemoval(t.Context(), removal)
		removed, err2 := r.Remove(t.Context(), removal)
		if err1 != nil || err2 != nil || len(planned) != 1 || planned[0].Version != 1 || !slices.Equal(removed, []int{1}) {
			t.Errorf("removed %v, %v; planned %v, %v", removed, err2, planned, err1)
		}
	}
	if history, err := r.History(t.Context(), "flowers"); err != nil || len(history) != 5 {
		t.Errorf("%d events, want 5, %v", len(history), err)
	}
}
