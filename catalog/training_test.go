package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/access"
	"tkit/datasets"
	"tkit/registry"
)

// trained returns olga's run on her dataset and version 2, with its data found.
func (f *fixture) trained(t *testing.T) (*TrainingRun, registry.Registration) {
	t.Helper()
	r, err := f.BeginTraining(t.Context(), olga, TrainingOptions{Data: "scans", Base: "m@2"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.End(nil); err != nil {
			t.Error(err)
		}
	})
	s, report, err := datasets.TakeSnapshot(r.Context(), r.Source, datasets.SnapshotOptions{AllOrNothing: r.AllOrNothing()})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Found(r.Context(), s, report); err != nil {
		t.Fatal(err)
	}
	m := *f.manifest(t.Context(), m2)
	m.Model = "trained"
	m.Lineage = registry.Lineage{
		Snapshots: []registry.SnapshotRef{{URI: s.URI, Digest: registry.Digest(s.Digest), Entries: len(s.Entries)}},
		Base:      &registry.Base{Name: "m", Digest: m.Trunk.Digest},
	}
	return r, registry.Registration{
		Manifest: m, Trunk: registry.FromReader(strings.NewReader("trunk")), Head: registry.FromReader(strings.NewReader("head")),
	}
}

// The run determines the restrictions of a trained version, not the caller who
// registers it.
func TestTrainingSetsTheLineage(t *testing.T) {
	f := newFixture(t)
	r, n := f.trained(t)
	if !r.AllOrNothing() || !r.MayRead() || !strings.Contains(r.DerivedFolder("bottlenecks"), "restricted") {
		t.Error("the data is not restricted")
	}
	v, err := r.Register(n)
	if err != nil {
		t.Fatal(err)
	}
	l := v.Manifest.Lineage
	if !slices.Equal(l.Snapshots[0].Datasets, []string{"scans"}) || l.Base.Version != "m@2" {
		t.Errorf("lineage: %+v, %+v", l.Snapshots, l.Base)
	}
	events, err := f.History(t.Context(), olga, "trained")
	if err != nil || len(events) != 1 || events[0].Actor != "olga" {
		t.Errorf("history: %+v, %v", events, err)
	}
	if _, err := f.ShowVersion(t.Context(), mallory, v.Manifest.Ref()); !errors.Is(err, access.ErrDenied) {
		t.Errorf("mallory: %v", err)
	}
}

// What a pipeline derives from images of a place is where a training on them looks for
// it, and nowhere else.
func TestDerivedFolder(t *testing.T) {
	f := newFixture(t)
	r, n := f.trained(t)
	v, err := r.Register(n)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Serve(t.Context(), ServingOptions{Server: f.account, Every: time.Second, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plain := *v.Manifest
	plain.Lineage.Base = &registry.Base{Name: "resnet50"}
	within := filepath.Join(f.data, "within")
	if err := os.Mkdir(within, 0o700); err != nil {
		t.Fatal(err)
	}
	folder := func(m *registry.Manifest, places ...string) string {
		t.Helper()
		path, err := s.DerivedFolder(t.Context(), "bottlenecks", m, places)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	// The base is restricted as its data is, whatever the images are.
	for _, places := range [][]string{nil, {f.data}, {f.plain}} {
		if got, want := folder(v.Manifest, places...), r.DerivedFolder("bottlenecks"); got != want {
			t.Errorf("images in %q: %s, the training's is %s", places, got, want)
		}
	}
	for _, places := range [][]string{nil, {f.plain}} {
		if got, want := folder(&plain, places...), filepath.Join(f.home, "bottlenecks"); got != want {
			t.Errorf("images in %q, with a base that nobody restricts: %s, want %s", places, got, want)
		}
	}
	restricted := folder(&plain, f.data)
	if !strings.HasPrefix(restricted, filepath.Join(f.home, "restricted")) {
		t.Errorf("images of a dataset: %s", restricted)
	}
	for _, places := range [][]string{{within}, {filepath.Dir(f.data)}, {f.plain, f.data}} {
		if got := folder(&plain, places...); got != restricted {
			t.Errorf("images in %q: %s, those of the dataset are in %s", places, got, restricted)
		}
	}
}

// A registration of other data, or without the base, is refused.
func TestTrainingRefusesAnotherLineage(t *testing.T) {
	f := newFixture(t)
	for name, change := range map[string]func(l *registry.Lineage){
		"other data": func(l *registry.Lineage) {
			l.Snapshots[0].Digest = registry.Digest("sha256:" + strings.Repeat("1", 64))
		},
		"no data": func(l *registry.Lineage) { l.Snapshots = nil },
		"no base": func(l *registry.Lineage) { l.Base = nil },
	} {
		r, n := f.trained(t)
		change(&n.Manifest.Lineage)
		if v, err := r.Register(n); err == nil {
			t.Errorf("%s: registered %s", name, v.Manifest.Ref())
		}
	}
}

// A right that ends before the registration ends the run.
func TestTrainingRevoked(t *testing.T) {
	f := newFixture(t)
	r, n := f.trained(t)
	deny := GrantOptions{Object: scans, Effect: access.Deny, Principal: olga.Principal, Rights: []access.Right{access.Train}}
	if _, err := f.AddGrants(t.Context(), olga, deny); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Register(n); !errors.Is(err, access.ErrDenied) {
		t.Errorf("register: %v", err)
	}
	<-r.Context().Done()
	if err := r.End(r.Context().Err()); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "nothing was registered") {
		t.Errorf("end: %v", err)
	}
}
