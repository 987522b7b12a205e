package access

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRemoveDataset(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:greta", Administer)
	f.give(t, f.olga, Allow, "user:bob", Train)
	snapshot := Snapshot{Digest: "sha256:aa", Entries: 1, By: "user:olga"}
	if err := f.addSnapshot(t.Context(), []Data{{URI: "file://" + f.data}}, snapshot); err != nil {
		t.Fatal(err)
	}
	built := [][]Origin{{{Version: "m@2", Model: Model("m")}, {Version: "m@1", Model: Model("m"), Data: []Data{{URI: "file://" + f.data + "/2024"}}}}}
	other := [][]Origin{{{Version: "m@3", Model: Model("m"), Data: []Data{{URI: "file:///elsewhere"}}}}}
	remove := func(who Caller, versions [][]Origin) error {
		return f.RemoveDataset(t.Context(), who, "scans", "the study has ended", versions)
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"mallory", remove(f.ask(t, "user:mallory"), other), ErrDenied},
		{"who may grant", remove(f.ask(t, "user:greta"), other), ErrDenied},
		{"a version would lose its restriction", remove(f.olga, built), ErrInUse},
		{"not even the administrator may lift it", remove(f.root, built), ErrInUse},
		{"unknown", f.RemoveDataset(t.Context(), f.olga, "scan", "", nil), ErrUnregistered},
		{"a reason that is no text", f.RemoveDataset(t.Context(), f.olga, "scans", "\xff", nil), ErrInvalid},
		{"the owner", remove(f.olga, other), nil},
		{"again", remove(f.olga, other), ErrNotFound},
	} {
		if (c.err == nil) != (c.want == nil) || !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
		if errors.Is(c.want, ErrInUse) && !strings.Contains(c.err.Error(), "m@2") {
			t.Errorf("%s: %v does not name the version", c.name, c.err)
		}
	}
	removed, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if copies := removed.DatasetsOf(Data{Digest: "sha256:aa"}); len(copies) != 0 {
		t.Errorf("a copy of what was the dataset belongs to %v", copies)
	}
	named := Data{Datasets: []string{"scans"}}
	if d := removed.DecideVersion(f.olga, Use, []Origin{{Version: "m@4", Model: Model("m"), Data: []Data{named}}}, now()); d.Allowed {
		t.Error("a version that names the removed dataset is open")
	}
	f.checkRemoval(t)

	if _, err := f.RegisterDataset(t.Context(), f.root, "scans", f.data, "user:otto"); err != nil {
		t.Fatal(err)
	}
	for _, who := range []Principal{"user:olga", "user:bob", "user:greta"} {
		if f.may(t, f.Authority, who, Train) {
			t.Errorf("%s may use a dataset of the same name", who)
		}
	}
}

// checkRemoval checks what the audit log says of the removal.
func (f *fixture) checkRemoval(t *testing.T) {
	t.Helper()
	removals := 0
	for r, err := range f.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Action != "remove-dataset" || r.Outcome != "allowed" {
			continue
		}
		removals++
		if r.Who != "user:olga" || r.Object != "dataset:scans" || !slices.Equal(r.Data, []string{"file://" + f.data, "owner user:olga", "reason the study has ended"}) {
			t.Errorf("the record is %+v", r)
		}
	}
	if removals != 1 {
		t.Errorf("%d removals are recorded", removals)
	}
}
