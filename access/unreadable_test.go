package access

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/internal/db"
	"tkit/internal/home"
)

// inTables changes the fixture's database behind its back.
func (f *fixture) inTables(t *testing.T, change func(*sql.Tx) error) (err error) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(f.home, home.Database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Write(t.Context(), change)
}

// damage changes rows of the fixture's database behind its back.
func (f *fixture) damage(t *testing.T, statement string, args ...any) {
	t.Helper()
	err := f.inTables(t, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(t.Context(), statement, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n == 0 {
			return errors.Join(err, errors.New("nothing was damaged"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(statement, err)
	}
}

// A grant that cannot be read closes its dataset to everybody with an error, and
// can be revoked by the dataset's owner; everything else keeps working.
func TestUnreadableGrant(t *testing.T) {
	for name, change := range map[string]string{
		"year of five digits": "expires = '10000-01-01T00:00:00.000000Z'",
		"no expiry":           "expires = 'soon'",
		"date only":           "expires = '2030-01-01'",
		"no time":             "at = ''||'x'",
		"no right":            "right = 'fly'",
		"no principal":        "principal = 'everybody'",
		"text":                "reason = CAST(x'ff' AS TEXT)",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.give(t, f.olga, Allow, "user:alice", Train)
			if _, err := f.RegisterDataset(t.Context(), f.root, "other", t.TempDir(), "user:olga"); err != nil {
				t.Fatal(err)
			}
			bad := f.give(t, f.olga, Deny, "user:bob", Read)
			f.damage(t, "UPDATE access_grants SET "+change+" WHERE id = ?", bad.ID)
			for _, p := range []Principal{"user:alice", "user:olga", "user:bob", "user:root"} {
				if f.may(t, f.Authority, p, Train) || f.may(t, f.Authority, p, Read) {
					t.Errorf("%s still has a right", p)
				}
			}
			_, err := f.Authorize(t.Context(), f.ask(t, "user:alice"), Request{Action: "train", Right: Train, Object: "dataset:scans"})
			if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "grant 2 cannot be read") {
				t.Errorf("alice is told %v", err)
			}
			if _, err := f.Authorize(t.Context(), f.olga, Request{Action: "train", Right: Train, Object: "dataset:other"}); err != nil {
				t.Errorf("another dataset: %v", err)
			}
			if f.may(t, f.Authority, "user:alice", Administer) || !f.may(t, f.Authority, "user:olga", Administer) {
				t.Error("others than the owner may grant, or the owner may not")
			}
			if err := f.RevokeGrant(t.Context(), f.olga, "dataset:scans", bad.ID); err != nil {
				t.Fatal(err)
			}
			if !f.may(t, f.Authority, "user:alice", Train) {
				t.Error("the dataset stays closed")
			}
		})
	}
}

func TestUnreadableRows(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:alice", Use)
	lineage := []Origin{{Version: "m@1", Model: "model:m", Data: []Data{{Datasets: []string{"scans"}}}}}
	e, err := f.Declassify(t.Context(), f.olga, Declassification{Version: "m@1", Dataset: "dataset:scans", Right: Use, Reason: "public", Expires: now().Add(time.Hour)}, lineage)
	if err != nil {
		t.Fatal(err)
	}
	token, secret, err := f.CreateToken(t.Context(), f.root, Token{Principal: "user:alice", Expires: now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	usable := func(p Principal) bool {
		_, err := f.Authorize(t.Context(), f.ask(t, p), Request{Action: "predict", Right: Use, Lineage: lineage})
		if err != nil && !errors.Is(err, ErrDenied) {
			t.Fatal(err)
		}
		return err == nil
	}
	authentic := func() bool {
		p, err := f.Policy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Authenticate(secret, time.Now())
		return err == nil
	}
	if !usable("user:bob") || !authentic() {
		t.Fatal("the declassification or the token does not count")
	}
	f.damage(t, "UPDATE access_exemptions SET expires = 'x'")
	if usable("user:bob") || !usable("user:alice") {
		t.Error("a declassification that cannot be read counts, or closes more")
	}
	if err := f.Reclassify(t.Context(), f.olga, e.ID); err != nil {
		t.Error(err)
	}
	for _, change := range []string{"expires = '10000-01-01T00:00:00.000000Z'", "expires = 'x'", "principal = 'group:radiology'", "hash = 'x'"} {
		f.damage(t, "UPDATE access_tokens SET expires = ?, principal = ?, hash = ?", db.FormatTime(token.Expires), token.Principal, hex.EncodeToString(token.Hash[:]))
		f.damage(t, "UPDATE access_tokens SET "+change)
		if authentic() {
			t.Errorf("a token with %s counts", change)
		}
	}
	if err := f.RevokeToken(t.Context(), f.root, token.ID); err != nil {
		t.Error(err)
	}
	// Who owns a dataset is unknown: an administrator gives it another owner.
	f.damage(t, "UPDATE access_objects SET owner = 'olga'")
	if usable("user:alice") {
		t.Error("a dataset without an owner is open")
	}
	if err := f.SetOwner(t.Context(), f.root, "dataset:scans", "user:olga"); err != nil || !usable("user:alice") {
		t.Errorf("with an owner again: %v", err)
	}
}

// Where a dataset lies is unknown: it may be any place that is not another's.
func TestUnreadablePlace(t *testing.T) {
	f := newFixture(t)
	other := t.TempDir()
	if _, err := f.RegisterDataset(t.Context(), f.root, "other", other, "user:olga"); err != nil {
		t.Fatal(err)
	}
	f.damage(t, "UPDATE access_objects SET uri = 'nowhere' WHERE object = 'dataset:scans'")
	p, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]Object{f.data: "dataset:scans", t.TempDir(): "dataset:scans", other: "dataset:other"} {
		found := p.DatasetsOf(Data{URI: "file://" + place})
		if len(found) != 1 || found[0] != want {
			t.Errorf("%s is of %v, want %s", place, found, want)
		}
	}
}

func TestExpiries(t *testing.T) {
	f := newFixture(t)
	for _, bad := range []time.Time{
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -3600)), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(292277026596, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}.Add(time.Nanosecond), time.Time{}.Add(-time.Hour), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Now().Add(-time.Second), time.Now().AddDate(101, 0, 0),
	} {
		if g, err := f.AddGrant(t.Context(), f.olga, Grant{Object: "dataset:scans", Effect: Allow, Principal: "user:bob", Right: Train, Expires: bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("until %v: %+v, %v", bad, g, err)
		}
		if _, _, err := f.CreateToken(t.Context(), f.root, Token{Principal: "user:bob", Expires: bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("a token until %v: %v", bad, err)
		}
		lineage := []Origin{{Version: "m@1", Model: "model:m", Data: []Data{{Datasets: []string{"scans"}}}}}
		e := Declassification{Version: "m@1", Dataset: "dataset:scans", Right: Use, Reason: "public", Expires: bad}
		if _, err := f.Declassify(t.Context(), f.olga, e, lineage); !errors.Is(err, ErrInvalid) {
			t.Errorf("a declassification until %v: %v", bad, err)
		}
	}
	if f.may(t, f.Authority, "user:bob", Train) {
		t.Error("one of them counts")
	}
	zoned := time.Now().Add(time.Hour).In(time.FixedZone("", 14*3600))
	g, err := f.AddGrant(t.Context(), f.olga, Grant{Object: "dataset:scans", Effect: Allow, Principal: "user:bob", Right: Train, Expires: zoned})
	if err != nil || g.Expires.Sub(zoned).Abs() > time.Millisecond || !f.may(t, f.Authority, "user:bob", Train) {
		t.Errorf("%v, %v", g.Expires, err)
	}
}

// A change that cannot be read back is not written.
func TestReadBack(t *testing.T) {
	f := newFixture(t)
	f.damage(t, `UPDATE access_generation SET n = n`) // as every change
	if err := f.inTables(t, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "CREATE TRIGGER garble AFTER INSERT ON access_grants BEGIN UPDATE access_grants SET expires = 'x' WHERE id = new.id; END")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AddGrant(t.Context(), f.olga, Grant{Object: "dataset:scans", Effect: Allow, Principal: "user:bob", Right: Train}); !errors.Is(err, ErrInvalid) {
		t.Errorf("given: %v", err)
	}
	p, err := f.Policy(t.Context())
	if err != nil || len(p.Grants("dataset:scans")) != 0 || len(p.Unreadable()) != 0 {
		t.Errorf("%v, %v, %v", p.Grants("dataset:scans"), p.Unreadable(), err)
	}
}

// Without a table of the policy nothing is decided.
func TestMissingTables(t *testing.T) {
	for _, table := range []string{"access_grants", "access_objects", "access_tokens", "access_exemptions", "access_snapshots", "access_generation"} {
		f := newFixture(t)
		if err := f.inTables(t, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "PRAGMA defer_foreign_keys = 1"); err != nil {
				return err
			}
			_, err := tx.ExecContext(t.Context(), "ALTER TABLE "+table+" RENAME TO moved")
			return err
		}); err != nil {
			t.Fatal(table, err)
		}
		a, err := Open(t.Context(), f.home, TestStore, members{})
		if err == nil {
			_, err = a.Authorize(t.Context(), f.olga, Request{Action: "train", Right: Train, Object: "dataset:scans"})
			a.Close()
		}
		if err == nil {
			t.Errorf("decided without %s", table)
		}
	}
}

// A file of groups that cannot be read is not treated as missing.
func TestGroupsFileLost(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "access", "groups.yaml")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() error{
		"empty":             func() error { return os.WriteFile(file, nil, 0o600) },
		"a comment":         func() error { return os.WriteFile(file, []byte("# groups:\n"), 0o600) },
		"cut off":           func() error { return os.WriteFile(file, []byte("groups: {a: [user:x"), 0o600) },
		"a folder":          func() error { return os.Mkdir(file, 0o700) },
		"a link to nothing": func() error { return os.Symlink("gone", file) },
	} {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if groups, err := HomeGroups(home).Of(t.Context(), "user:root"); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v", name, groups, err)
		}
	}
}

// A home is only to be accepted where that helps.
func TestUnreadableKey(t *testing.T) {
	for _, key := range []string{"zz", "00", ""} {
		f := newFixture(t)
		f.damage(t, "UPDATE access_audit SET key = ?", key)
		_, err := Open(t.Context(), f.home, TestStore, members{})
		if err == nil || !strings.Contains(err.Error(), "the key of the audit log is damaged") || strings.Contains(err.Error(), "accept") {
			t.Errorf("the key %q: %v", key, err)
		}
	}
}
