package catalog

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"tkit/access"
	"tkit/registry"
)

// What restricts a version stays when the version that it was built on is deleted, and
// holds its datasets.
func TestRemoveKeepsRestrictions(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	exported := filepath.Join(t.TempDir(), "exported")
	if _, err := f.Export(ctx, olga, m1, ExportOptions{Folder: exported}); err != nil {
		t.Fatal(err)
	}
	built := *f.manifest(ctx, m1)
	built.Model, built.Attachments = "built", nil
	built.Lineage = registry.Lineage{Base: &registry.Base{Name: "m", Digest: built.Trunk.Digest, Version: "m@1"}}
	_, err := f.registry.Register(ctx, registry.Registration{Manifest: built, Trunk: registry.Stored(built.Trunk.Digest), Head: registry.Stored(built.Head.Digest), By: change})
	if err != nil {
		t.Fatal(err)
	}
	inUse := func(names ...string) {
		t.Helper()
		err := f.RemoveDataset(ctx, olga, "scans", "")
		if !errors.Is(err, access.ErrInUse) {
			t.Errorf("removed a dataset that restricts %v: %v", names, err)
		}
		for _, name := range names {
			if err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%v does not name %s", err, name)
			}
		}
	}
	inUse("m@1", "m@2", "built@1")
	all := registry.Ref{Model: "m"}
	if _, err := f.RemoveVersions(ctx, olga, all, change); !errors.Is(err, registry.ErrAliased) {
		t.Errorf("a model in production: %v", err)
	}
	if err := f.RemoveAlias(ctx, olga, live, change); err != nil {
		t.Fatal(err)
	}
	if removed, err := f.RemoveVersions(ctx, olga, all, change); err != nil || strings.Join(removed, " ") != "m@1 m@2" {
		t.Fatalf("removed %v, %v", removed, err)
	}
	inUse("built@1")
	of := registry.Ref{Model: "built", Version: 1}
	if _, err := f.ShowVersion(ctx, mallory, of); !errors.Is(err, access.ErrDenied) {
		t.Errorf("mallory sees the version that is built on it: %v", err)
	}
	var deleted *registry.DeletedError
	_, using := f.UseVersion(ctx, olga, m1)
	_, exporting := f.Export(ctx, olga, m1, ExportOptions{Folder: filepath.Join(t.TempDir(), "again")})
	_, training := f.BeginTraining(ctx, f.account, TrainingOptions{Data: f.plain, Base: exported})
	for name, err := range map[string]error{"use": using, "export": exporting, "train on an export": training} {
		if !errors.As(err, &deleted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.listsDeleted(t)
	if _, err := f.RemoveVersions(ctx, olga, of, change); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveDataset(ctx, olga, "scans", "no version is left"); err != nil {
		t.Error(err)
	}
}

// listsDeleted checks that deleted versions are listed without what they were.
func (f *fixture) listsDeleted(t *testing.T) {
	t.Helper()
	for _, who := range []access.Caller{olga, mallory} {
		versions, err := f.ListVersions(t.Context(), who, "m")
		if err != nil || len(versions) != 2 {
			t.Fatalf("%d versions, %v", len(versions), err)
		}
		for _, v := range versions {
			if v.Deleted == nil || v.Deleted.Actor != change.Actor || v.Manifest.Metrics != nil || len(v.Manifest.Lineage.Snapshots) > 0 {
				t.Errorf("%s sees %+v", who.Principal, v.Manifest)
			}
		}
	}
}
