package catalog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/access"
	"tkit/inference/inferencetest"
	"tkit/internal/db"
	"tkit/internal/home"
	"tkit/registry"
)

// The callers of the tests. Olga owns the dataset, mallory has no right, and
// nobody is not authenticated.
var (
	olga    = access.Caller{Principal: "user:olga"}
	mallory = access.Caller{Principal: "user:mallory"}
	nobody  = access.Caller{}
)

// noGroups knows every user and no group.
type noGroups struct{}

func (noGroups) Of(context.Context, access.Principal) ([]access.Principal, error) {
	return []access.Principal{}, nil
}

// A fixture is a home with the datasets scans and spare, which olga owns, two versions
// of the model m that were trained on scans, and a stored base. Version 1 was in
// production before version 2. Grant 1 is on scans, declassification 1 is of version
// 1, and the server's account may use the model.
type fixture struct {
	*Catalog
	home, data string
	plain      string        // a folder that nobody registered
	account    access.Caller // of this process
	token      string        // the ID of olga's
}

var discard = slog.New(slog.DiscardHandler)

func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := inferencetest.New(t)
	f := &fixture{Catalog: openCatalog(t, h.Path), home: h.Path, data: filepath.Join(t.TempDir(), "scans")}
	var err error
	if f.account, err = Self(""); err != nil {
		t.Fatal(err)
	}
	f.plain = filepath.Join(t.TempDir(), "plain")
	for _, folder := range []string{f.plain, f.data} {
		writeImages(t, folder)
	}
	d, err := f.RegisterDataset(t.Context(), f.account, DatasetOptions{Name: "scans", URI: f.data, Owner: olga.Principal})
	if err != nil {
		t.Fatal(err)
	}
	spare := t.TempDir()
	if _, err := f.RegisterDataset(t.Context(), f.account, DatasetOptions{Name: "spare", URI: spare, Owner: olga.Principal}); err != nil {
		t.Fatal(err)
	}
	h.Lineage.Snapshots = []registry.SnapshotRef{{URI: d.URI, Digest: registry.Digest("sha256:" + strings.Repeat("0", 64)), Entries: 2, Datasets: []string{"scans"}}}
	for seed := range uint64(2) {
		h.RegisterWith(t, "m", seed, map[string]registry.Content{"data.json": registry.FromReader(strings.NewReader("{}"))})
		h.Promote(t, "m", int(seed)+1, registry.Production)
	}
	f.grant(t, f.account.Principal, access.Use)
	if _, err := f.Declassify(t.Context(), olga, DeclassifyOptions{Version: m1, Dataset: "scans", Right: access.Download, Expires: soon(), Reason: "approved"}); err != nil {
		t.Fatal(err)
	}
	token, _, err := f.CreateToken(t.Context(), olga, TokenOptions{Expires: soon()})
	if err != nil {
		t.Fatal(err)
	}
	f.token = token.ID
	_, err = f.ImportBase(t.Context(), f.account, "stored", func(ctx context.Context) (registry.NewBase, error) { return f.newBase(ctx, m1) })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newBase returns a base whose network is the trunk of a version.
func (f *fixture) newBase(ctx context.Context, of registry.Ref) (registry.NewBase, error) {
	m := f.manifest(ctx, of)
	return registry.NewBase{
		Manifest: registry.BaseManifest{Preprocessing: m.Preprocessing, Signature: m.Signature, Licence: "Apache-2.0"},
		Network:  registry.Stored(m.Trunk.Digest),
	}, nil
}

func openCatalog(t *testing.T, home string) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), Options{Home: home, Groups: noGroups{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// writeImages writes a dataset of two images.
func writeImages(t *testing.T, folder string) {
	t.Helper()
	for i, class := range []string{"a", "b"} {
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, image.NewGray(image.Rect(0, 0, 8+i, 8))); err != nil {
			t.Fatal(err)
		}
		err := errors.Join(os.MkdirAll(filepath.Join(folder, class), 0o755), os.WriteFile(filepath.Join(folder, class, "1.png"), encoded.Bytes(), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// records returns the number of records in the audit log.
func (f *fixture) records(t *testing.T) int {
	t.Helper()
	n := 0
	for _, err := range f.authority.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// forgetRecords makes the home's database older than its audit log, like a restored
// backup.
func (f *fixture) forgetRecords(ctx context.Context) (err error) {
	d, err := db.Open(ctx, filepath.Join(f.home, home.Database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE access_audit SET sequence = 1")
		return err
	})
}

// grant lets olga grant rights on her dataset to a principal.
func (f *fixture) grant(t *testing.T, to access.Principal, rights ...access.Right) []access.Grant {
	t.Helper()
	added, err := f.AddGrants(t.Context(), olga, GrantOptions{Object: access.Dataset("scans"), Effect: access.Allow, Principal: to, Rights: rights})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// serving calls f with the catalog of a server.
func (f *fixture) serving(use func(*Serving) error) error {
	s, err := f.Serve(context.Background(), ServingOptions{Server: f.account, Every: time.Second, Log: discard})
	if err != nil {
		return err
	}
	defer s.Close()
	return use(s)
}

// manifest returns the manifest of a version.
func (f *fixture) manifest(ctx context.Context, ref registry.Ref) *registry.Manifest {
	m, err := f.registry.Resolve(ctx, ref)
	if err != nil {
		panic(err)
	}
	return m
}

func soon() time.Time { return time.Now().Add(time.Hour) }

// outcome returns the kind of an error.
func outcome(err error) string {
	switch {
	case err == nil:
		return "allowed"
	case errors.Is(err, access.ErrUnauthenticated):
		return "unauthenticated"
	case errors.Is(err, access.ErrDenied):
		return "denied"
	}
	return err.Error()
}
