package access

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPermission(t *testing.T) {
	f := newFixture(t)
	uri, _, err := Locate(f.data)
	if err != nil {
		t.Fatal(err)
	}
	permission := f.NewPermission(Caller{Principal: "user:alice"}, Needs{Data: []Data{{URI: uri}}})
	check := func() error { _, err := permission.Check(t.Context()); return err }
	if err := permission.Authorize(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("closed: %v", err)
	}
	f.give(t, f.olga, Allow, "group:radiology", Train)
	if err := errors.Join(permission.Authorize(t.Context()), check()); err != nil {
		t.Error(err)
	}
	names, err := permission.Found(t.Context(), "sha256:a", 12)
	if err != nil || strings.Join(names, " ") != "scans" {
		t.Errorf("found %v, %v", names, err)
	}
	p, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Snapshots("scans"); len(s) != 1 || s[0].Digest != "sha256:a" || s[0].Entries != 12 || s[0].By != "user:alice" {
		t.Errorf("snapshots: %+v", s)
	}
	f.give(t, f.olga, Deny, "user:alice", Train)
	for name, err := range map[string]error{"authorize": permission.Authorize(t.Context()), "check": check()} {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Part of a dataset, or more than it, is its data but not its content.
func TestPartsAreNotSnapshots(t *testing.T) {
	f := newFixture(t)
	for i, folder := range []string{filepath.Join(f.data, "2024"), filepath.Dir(f.data)} {
		uri, _, err := Locate(folder)
		if err != nil {
			t.Fatal(err)
		}
		permission := f.NewPermission(Caller{Principal: "user:olga"}, Needs{Data: []Data{{URI: uri}}})
		names, err := permission.Found(t.Context(), "sha256:"+string(rune('a'+i)), 1)
		if err != nil || strings.Join(names, " ") != "scans" {
			t.Errorf("%s belongs to %v, %v", folder, names, err)
		}
	}
	p, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Snapshots("scans"); len(s) != 0 {
		t.Errorf("snapshots: %+v", s)
	}
}

// What the policy separates has a folder of its own.
func TestDomain(t *testing.T) {
	f := newFixture(t)
	domain := func(n Needs) string {
		t.Helper()
		d, err := f.NewPermission(Caller{Principal: "user:olga"}, n).Domain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	scans := Needs{Data: []Data{{Datasets: []string{"scans"}}}}
	base := Needs{Base: []Origin{{Version: "m@1", Model: "model:m", Data: scans.Data}}}
	if _, err := f.RegisterDataset(t.Context(), f.root, "more", t.TempDir(), "user:olga"); err != nil {
		t.Fatal(err)
	}
	more := Needs{Data: []Data{{Datasets: []string{"more"}}}}
	both := Needs{Data: append(more.Data, scans.Data...)}
	other := Needs{Data: more.Data, Base: base.Base}
	free := Needs{Data: []Data{{URI: "file:///elsewhere"}}}
	if domain(free) != "" {
		t.Error("what nothing restricts has a domain")
	}
	if d := domain(scans); d == "" || d != domain(base) || d == domain(Needs{Data: []Data{{Datasets: []string{"other"}}}}) {
		t.Error("domains are not those of what restricts")
	}
	if d := domain(both); d == domain(scans) || d == domain(more) || d != domain(other) || d != domain(Needs{Data: append(scans.Data, more.Data...)}) {
		t.Error("data of two datasets is kept with one's")
	}
}

func TestHold(t *testing.T) {
	f := newFixture(t)
	g := f.give(t, f.olga, Allow, "user:alice", Train)
	permission := f.NewPermission(Caller{Principal: "user:alice"}, Needs{Data: []Data{{Datasets: []string{"scans"}}}})
	ended, stop := permission.Hold(t.Context(), time.Millisecond)
	stop()
	if cause := context.Cause(ended); !errors.Is(cause, context.Canceled) {
		t.Errorf("stopped for %v", cause)
	}
	held, stop := permission.Hold(t.Context(), time.Millisecond)
	defer stop()
	if err := f.RevokeGrant(t.Context(), f.olga, "dataset:scans", g.ID); err != nil {
		t.Fatal(err)
	}
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, ErrDenied) {
		t.Errorf("lost for %v", cause)
	}
}
