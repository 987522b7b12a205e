// Package metadatatest is the test suite of implementations of metadata.Store.
package metadatatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/registry/blobs"
	"tkit/registry/metadata"
)

// Run runs the suite. Open opens a new, empty store for a test. Further calls with
// the same test open the same store again, as another process would.
func Run(t *testing.T, open func(t *testing.T) metadata.Store) {
	for name, test := range map[string]func(t *testing.T, s, other metadata.Store){
		"empty":      testEmpty,
		"versions":   testVersions,
		"immutable":  testImmutable,
		"rollback":   testRollback,
		"aliases":    testAliases,
		"replaced":   testReplaced,
		"events":     testEvents,
		"deletions":  testDeletions,
		"bases":      testBases,
		"requests":   testRequests,
		"bindings":   testBindings,
		"properties": testProperties,
		"one state":  testOneState,
		"writers":    testWriters,
		"changes":    testChanges,
		"cancelled":  testCancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t), open(t)) })
	}
}

var at = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

func digest(i int) blobs.Digest {
	return blobs.Digest("sha256:" + strings.Repeat(fmt.Sprintf("%04x", i), 16))
}

func version(model string, number int) metadata.NewVersion {
	return metadata.NewVersion{
		Version: metadata.Version{Model: model, Number: number, Digest: digest(number)}, Created: at,
		Manifest: fmt.Appendf(nil, "%s %d", model, number), Parts: map[string]blobs.Digest{"trunk": digest(1000), "head": digest(number)},
	}
}

func update(t *testing.T, s metadata.Store, f func(w metadata.Writer) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s metadata.Store, f func(r metadata.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// add adds versions 1 to n of a model.
func add(t *testing.T, s metadata.Store, model string, n int) {
	t.Helper()
	update(t, s, func(w metadata.Writer) error {
		for i := range n {
			if err := w.AddVersion(version(model, i+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

func testEmpty(t *testing.T, s, _ metadata.Store) {
	if _, found, err := s.Find(t.Context(), "m", 1, ""); found || err != nil {
		t.Errorf("found %t, %v", found, err)
	}
	view(t, s, func(r metadata.Reader) error {
		models, err1 := r.Models()
		versions, err2 := r.Versions("")
		aliases, err3 := r.Aliases("m")
		events, err4 := r.Events("", 0)
		_, found, err5 := r.Version("m", 1)
		_, named, err6 := r.Alias("m", "a")
		standing, err7 := r.Standing("m", "a")
		last, err8 := r.LastEvent()
		deletions, err10 := r.Deletions("")
		bases, err9 := r.Bases()
		if len(models)+len(versions)+len(aliases)+len(events)+len(bases)+len(deletions) != 0 || found || named || standing != (metadata.Standing{}) || last != 0 {
			t.Error("an empty store has rows")
		}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10)
	})
	if damage, err := s.Check(t.Context()); len(damage) > 0 || err != nil {
		t.Errorf("damage: %v, %v", damage, err)
	}
}

func testVersions(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 3)
	add(t, s, "a", 1)
	for _, store := range []metadata.Store{s, other} {
		v, found, err := store.Find(t.Context(), "m", 2, "")
		if want := (metadata.Version{Model: "m", Number: 2, Digest: digest(2)}); !found || err != nil || v != want {
			t.Errorf("found %+v, %t, %v", v, found, err)
		}
		if _, found, err := store.Find(t.Context(), "m", 4, ""); found || err != nil {
			t.Errorf("version 4: %t, %v", found, err)
		}
	}
	view(t, other, func(r metadata.Reader) error {
		models, err1 := r.Models()
		want := []metadata.Model{{Name: "a", Created: at, Versions: 1, Latest: 1}, {Name: "m", Created: at, Versions: 3, Latest: 3}}
		if !slices.Equal(models, want) {
			t.Errorf("models: %+v", models)
		}
		of, err2 := r.Versions("m")
		all, err3 := r.Versions("")
		if len(of) != 3 || of[2].Number != 3 || len(all) != 4 || all[0].Model != "a" {
			t.Errorf("versions: %+v, %+v", of, all)
		}
		latest, err6 := r.Latest("m")
		none, err7 := r.Latest("b")
		if latest != 3 || none != 0 {
			t.Errorf("the latest versions are %d and %d", latest, none)
		}
		text, err4 := r.Manifest("m", 3)
		if string(text) != "m 3" {
			t.Errorf("manifest: %q", text)
		}
		parts, err5 := r.Parts("m", 3)
		if len(parts) != 2 || parts["head"] != digest(3) {
			t.Errorf("parts: %v", parts)
		}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
}

// A version cannot be added twice, and the failed transaction leaves nothing.
func testImmutable(t *testing.T, s, _ metadata.Store) {
	add(t, s, "m", 1)
	changed := version("m", 1)
	changed.Manifest, changed.Digest = []byte("other"), digest(9)
	if err := s.Update(t.Context(), func(w metadata.Writer) error { return w.AddVersion(changed) }); err == nil {
		t.Error("a version was added twice")
	}
	view(t, s, func(r metadata.Reader) error {
		text, err := r.Manifest("m", 1)
		if string(text) != "m 1" {
			t.Errorf("manifest: %q", text)
		}
		return err
	})
}

func testRollback(t *testing.T, s, other metadata.Store) {
	failed := errors.New("failed")
	err := s.Update(t.Context(), func(w metadata.Writer) error {
		if err := w.AddVersion(version("m", 1)); err != nil {
			return err
		}
		if _, err := w.AddEvent(metadata.Event{At: at, Action: metadata.Registered, Model: "m", Version: 1, Change: metadata.Change{Actor: "test"}}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("error: %v", err)
	}
	for _, store := range []metadata.Store{s, other} {
		if _, found, err := store.Find(t.Context(), "m", 1, ""); found || err != nil {
			t.Errorf("after a rollback: %t, %v", found, err)
		}
	}
}

// promote moves an alias as the registry does.
func promote(w metadata.Writer, model, alias string, number int) (int64, error) {
	before, err := w.Standing(model, alias)
	if err != nil {
		return 0, err
	}
	id, err := w.AddEvent(metadata.Event{At: at, Action: metadata.Promoted, Model: model, Version: number, Alias: alias,
		Previous: before.Version, Replaced: before.Promotion, Change: metadata.Change{Actor: "test", Reason: "better"}})
	if err != nil {
		return 0, err
	}
	return id, w.SetAlias(model, alias, metadata.Standing{Version: number, Promotion: id}, id)
}

func testAliases(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 2)
	update(t, s, func(w metadata.Writer) error {
		_, err1 := promote(w, "m", "production", 2)
		_, err2 := promote(w, "m", "champion", 1)
		return errors.Join(err1, err2)
	})
	v, found, err := other.Find(t.Context(), "m", 0, "production")
	if !found || err != nil || v.Number != 2 || v.Digest != digest(2) {
		t.Errorf("production: %+v, %t, %v", v, found, err)
	}
	view(t, other, func(r metadata.Reader) error {
		all, err := r.Aliases("")
		want := metadata.Alias{Model: "m", Name: "champion", Version: 1, Since: at, Change: metadata.Change{Actor: "test", Reason: "better"}}
		if len(all) != 2 || all[0] != want {
			t.Errorf("aliases: %+v", all)
		}
		return err
	})
	update(t, s, func(w metadata.Writer) error { return w.RemoveAlias("m", "production") })
	if _, found, err := other.Find(t.Context(), "m", 0, "production"); found || err != nil {
		t.Errorf("a removed alias: %t, %v", found, err)
	}
	err = s.Update(t.Context(), func(w metadata.Writer) error {
		_, err := promote(w, "m", "production", 3)
		return err
	})
	if err == nil {
		t.Error("an alias names a version that does not exist")
	}
}

func testReplaced(t *testing.T, s, _ metadata.Store) {
	add(t, s, "m", 2)
	update(t, s, func(w metadata.Writer) error {
		first, err1 := promote(w, "m", "production", 1)
		second, err2 := promote(w, "m", "production", 2)
		before, err3 := w.Replaced(second)
		if want := (metadata.Standing{Version: 1, Promotion: first}); before != want {
			t.Errorf("replaced: %+v, want %+v", before, want)
		}
		none, err4 := w.Replaced(first)
		if none != (metadata.Standing{}) {
			t.Errorf("the first promotion replaced %+v", none)
		}
		return errors.Join(err1, err2, err3, err4)
	})
}

// Events are numbered without gaps, and read as they were written.
func testEvents(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 1)
	add(t, s, "n", 1)
	written := []metadata.Event{
		{ID: 1, At: at, Action: metadata.Registered, Model: "m", Version: 1, Digest: digest(1), Change: metadata.Change{Actor: "ann"}},
		{ID: 2, At: at, Action: metadata.Promoted, Model: "m", Version: 1, Alias: "a", Change: metadata.Change{Actor: "bob", Reason: "ümlaut\n'"}},
		{ID: 3, At: at, Action: metadata.Promoted, Model: "n", Version: 1, Alias: "a", Previous: 7, Replaced: 2, Change: metadata.Change{Actor: "c"}},
	}
	for _, e := range written {
		update(t, s, func(w metadata.Writer) error {
			id, err := w.AddEvent(e)
			if id != e.ID {
				t.Errorf("event %d got the ID %d", e.ID, id)
			}
			return err
		})
	}
	view(t, other, func(r metadata.Reader) error {
		all, err1 := r.Events("", 0)
		of, err2 := r.Events("m", 1)
		last, err3 := r.LastEvent()
		if !slices.Equal(all, written) || !slices.Equal(of, written[1:2]) || last != 3 {
			t.Errorf("events: %+v, %+v, %d", all, of, last)
		}
		return errors.Join(err1, err2, err3)
	})
}

// A deleted version keeps its rows and its number, and is deleted once.
func testDeletions(t *testing.T, s, other metadata.Store) {
	add(t, s, "a", 1)
	add(t, s, "m", 3)
	by := metadata.Change{Actor: "ann", Reason: "wrong labels"}
	remove := func(number int) error {
		return s.Update(t.Context(), func(w metadata.Writer) error {
			id, err := w.AddEvent(metadata.Event{At: at, Action: metadata.Deleted, Model: "m", Version: number, Change: by})
			return errors.Join(err, w.DeleteVersion("m", number, id))
		})
	}
	if err := remove(2); err != nil {
		t.Fatal(err)
	}
	for name, number := range map[string]int{"twice": 2, "a version that does not exist": 4} {
		if err := remove(number); err == nil {
			t.Errorf("deleted %s", name)
		}
	}
	want := metadata.Version{Model: "m", Number: 2, Digest: digest(2), Deleted: true}
	if v, found, err := other.Find(t.Context(), "m", 2, ""); !found || err != nil || v != want {
		t.Errorf("found %+v, %t, %v", v, found, err)
	}
	view(t, other, func(r metadata.Reader) error {
		deletions, err1 := r.Deletions("m")
		all, err2 := r.Deletions("")
		none, err3 := r.Deletions("a")
		deletion := metadata.Deletion{Model: "m", Number: 2, At: at, Change: by}
		if !slices.Equal(deletions, []metadata.Deletion{deletion}) || !slices.Equal(all, deletions) || len(none) != 0 {
			t.Errorf("deletions: %+v, %+v, %+v", deletions, all, none)
		}
		versions, err4 := r.Versions("m")
		v, _, err5 := r.Version("m", 2)
		if len(versions) != 3 || versions[1] != want || versions[0].Deleted || v != want {
			t.Errorf("versions: %+v, %+v", versions, v)
		}
		models, err6 := r.Models()
		if len(models) != 2 || models[1].Versions != 3 || models[1].Latest != 3 {
			t.Errorf("models: %+v", models)
		}
		text, err7 := r.Manifest("m", 2)
		parts, err8 := r.Parts("m", 2)
		last, err9 := r.LastEvent()
		if string(text) != "m 2" || len(parts) != 2 || last != 1 {
			t.Errorf("a deleted version has the manifest %q and the parts %v; the last event is %d", text, parts, last)
		}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9)
	})
}

func testBases(t *testing.T, s, other metadata.Store) {
	base := func(name string, n int) metadata.Base {
		return metadata.Base{Name: name, Digest: digest(n), Manifest: []byte(name), Network: digest(100 + n)}
	}
	update(t, s, func(w metadata.Writer) error {
		return errors.Join(w.AddBase(base("resnet50", 1)), w.AddBase(base("lite0", 2)))
	})
	check := func(want ...metadata.Base) {
		t.Helper()
		view(t, other, func(r metadata.Reader) error {
			found, err := r.Bases()
			equal := func(a, b metadata.Base) bool {
				return a.Name == b.Name && a.Digest == b.Digest && a.Network == b.Network && string(a.Manifest) == string(b.Manifest)
			}
			if !slices.EqualFunc(found, want, equal) {
				t.Errorf("bases: %+v, want %+v", found, want)
			}
			return err
		})
	}
	check(base("lite0", 2), base("resnet50", 1))
	if err := s.Update(t.Context(), func(w metadata.Writer) error { return w.AddBase(base("lite0", 3)) }); err == nil {
		t.Error("a base was replaced")
	}
	update(t, s, func(w metadata.Writer) error { return errors.Join(w.RemoveBase("lite0"), w.RemoveBase("none")) })
	check(base("resnet50", 1))
	update(t, s, func(w metadata.Writer) error { return w.AddBase(base("lite0", 3)) }) // the name is free again
	check(base("lite0", 3), base("resnet50", 1))
}

// A binding leads to a version by an alias or by its number.
func testBindings(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 3)
	add(t, s, "n", 1)
	bind := func(b metadata.Binding) {
		t.Helper()
		update(t, s, func(w metadata.Writer) error {
			id, err := w.AddEvent(metadata.Event{At: at, Action: metadata.Bound, Application: b.Application, Model: b.Model, Alias: b.Alias,
				Version: b.Version, Change: metadata.Change{Actor: "ann", Reason: "new"}})
			return errors.Join(err, w.SetBinding(b, id))
		})
	}
	finds := func(application, model string, want int) {
		t.Helper()
		v, found, err := other.FindBound(t.Context(), application, model)
		if found != (want != 0) || err != nil || found && (v.Number != want || v.Digest != digest(want) || v.Model != model) {
			t.Errorf("%s gets %+v of %s, %t, %v; want %d", application, v, model, found, err, want)
		}
	}
	update(t, s, func(w metadata.Writer) error { _, err := promote(w, "m", "production", 2); return err })
	bind(metadata.Binding{Application: "web", Model: "m", Alias: "production"})
	bind(metadata.Binding{Application: "app", Model: "m", Version: 3})
	bind(metadata.Binding{Application: "app", Model: "n", Version: 1})
	finds("web", "m", 2)
	finds("app", "m", 3)
	finds("web", "n", 0)
	bind(metadata.Binding{Application: "app", Model: "m", Version: 1})
	update(t, s, func(w metadata.Writer) error { _, err := promote(w, "m", "production", 3); return err })
	finds("web", "m", 3)
	finds("app", "m", 1)
	view(t, other, func(r metadata.Reader) error {
		all, err1 := r.Bindings("", "")
		of, err2 := r.Bindings("app", "")
		to, err3 := r.Bindings("", "m")
		one, found, err4 := r.Binding("app", "m")
		_, none, err5 := r.Binding("web", "n")
		want := metadata.Binding{Application: "app", Model: "m", Version: 1, Since: at, Change: metadata.Change{Actor: "ann", Reason: "new"}}
		if len(all) != 3 || all[0] != want || len(of) != 2 || len(to) != 2 || to[1].Application != "web" || !found || one != want || none {
			t.Errorf("bindings: %+v, %+v, %+v, %+v", all, of, to, one)
		}
		events, err6 := r.Events("n", 0)
		last, err7 := r.LastTime()
		if len(events) != 1 || events[0].Application != "app" || !last.Equal(at) {
			t.Errorf("events: %+v, the last at %v", events, last)
		}
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
	update(t, s, func(w metadata.Writer) error {
		return errors.Join(w.RemoveBinding("app", "m"), w.RemoveBinding("none", "m"))
	})
	finds("app", "m", 0)
	err := s.Update(t.Context(), func(w metadata.Writer) error {
		return w.SetBinding(metadata.Binding{Application: "app", Model: "m", Version: 1, Alias: "production"}, 1)
	})
	if err == nil {
		t.Error("an application is bound to an alias and a version")
	}
}

// A property has one value for a model or a version, or none.
func testProperties(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 1)
	add(t, s, "n", 1)
	set := func(version int, name, value string) {
		t.Helper()
		update(t, s, func(w metadata.Writer) error {
			_, err := w.AddEvent(metadata.Event{At: at, Action: metadata.Changed, Model: "m", Version: version, Detail: name, Change: metadata.Change{Actor: "ann"}})
			return errors.Join(err, w.SetProperty(metadata.Property{Model: "m", Version: version, Name: name, Value: value}))
		})
	}
	set(1, "b", "1")
	set(1, "a", "ü")
	set(0, "a", "of the model")
	set(1, "b", "2")
	set(1, "c", "3")
	set(1, "c", "")
	set(1, "none", "")
	view(t, other, func(r metadata.Reader) error {
		all, err1 := r.Properties("m")
		none, err2 := r.Properties("n")
		one, err3 := r.Property("m", 1, "b")
		missing, err4 := r.Property("m", 1, "c")
		want := []metadata.Property{{Model: "m", Name: "a", Value: "of the model"}, {Model: "m", Version: 1, Name: "a", Value: "ü"}, {Model: "m", Version: 1, Name: "b", Value: "2"}}
		if !slices.Equal(all, want) || len(none) != 0 || one != "2" || missing != "" {
			t.Errorf("properties: %+v, %+v, %q, %q", all, none, one, missing)
		}
		events, err5 := r.Events("m", 0)
		if len(events) != 7 || events[0].Detail != "b" {
			t.Errorf("events: %+v", events)
		}
		return errors.Join(err1, err2, err3, err4, err5)
	})
}

// A request is added once, and read by every process.
func testRequests(t *testing.T, s, other metadata.Store) {
	r := metadata.Request{Key: "k 1", Asked: `{"a":1}`, Result: `"ü"`}
	update(t, s, func(w metadata.Writer) error {
		err := w.AddRequest(r)
		got, found, err2 := w.Request(r.Key)
		if !found || got != r {
			t.Errorf("in its transaction: %+v, %t", got, found)
		}
		return errors.Join(err, err2)
	})
	if err := other.Update(t.Context(), func(w metadata.Writer) error { return w.AddRequest(metadata.Request{Key: r.Key}) }); err == nil {
		t.Error("a key was used twice")
	}
	view(t, other, func(rows metadata.Reader) error {
		got, found, err1 := rows.Request(r.Key)
		_, none, err2 := rows.Request("k 2")
		if !found || got != r || none {
			t.Errorf("got %+v, %t; another key is found: %t", got, found, none)
		}
		return errors.Join(err1, err2)
	})
}

// A view does not see what is written while it is open.
func testOneState(t *testing.T, s, other metadata.Store) {
	add(t, s, "m", 1)
	view(t, other, func(r metadata.Reader) error {
		before, err1 := r.Versions("m")
		add(t, s, "n", 1)
		after, err2 := r.Models()
		if len(before) != 1 || len(after) != 1 {
			t.Errorf("a view saw %d versions, then %d models", len(before), len(after))
		}
		return errors.Join(err1, err2)
	})
}

// Updates do not overlap: no writer overwrites the changes of another.
func testWriters(t *testing.T, s, other metadata.Store) {
	const each = 8
	var writing sync.WaitGroup
	for _, store := range []metadata.Store{s, other} {
		for range each {
			writing.Go(func() {
				err := store.Update(t.Context(), func(w metadata.Writer) error {
					before, err := w.Versions("m")
					if err != nil {
						return err
					}
					return w.AddVersion(version("m", len(before)+1))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	writing.Wait()
	view(t, s, func(r metadata.Reader) error {
		all, err := r.Versions("m")
		if len(all) != 2*each {
			t.Errorf("%d versions, want %d", len(all), 2*each)
		}
		return err
	})
}

// A write of another process is a change.
func testChanges(t *testing.T, s, other metadata.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	written := false
	for err := range s.Changes(ctx, time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		if written {
			return
		}
		written = true
		add(t, other, "m", 1)
	}
	t.Error("no change was seen")
}

func testCancelled(t *testing.T, s, _ metadata.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ctx, func(w metadata.Writer) error { return w.AddVersion(version("m", 1)) }); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(ctx, func(r metadata.Reader) error { _, err := r.Models(); return err }); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v", err)
	}
	for range s.Changes(ctx, time.Millisecond) {
		t.Error("changes continue after the context has ended")
		break
	}
}
