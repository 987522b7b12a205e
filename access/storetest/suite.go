// Package storetest has the tests that every access.Store passes.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"tkit/access"
	"tkit/access/audit"
)

// Run runs the tests. Open opens a new, empty store, and opens it again each time it is
// called with the same test: as another process would. It closes the store when the test
// ends.
func Run(t *testing.T, open func(t *testing.T) access.Store) {
	for name, test := range map[string]func(t *testing.T, s, other access.Store){
		"empty":        testEmpty,
		"rows":         testRows,
		"revoked":      testRevoked,
		"owner":        testOwner,
		"removed":      testRemoved,
		"numbers":      testNumbers,
		"unique":       testUnique,
		"generation":   testGeneration,
		"own writes":   testOwnWrites,
		"rollback":     testRollback,
		"writers":      testWriters,
		"audit":        testAudit,
		"cancellation": testCancellation,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t), open(t)) })
	}
}

var at = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

const scans, flowers = access.Object("dataset:scans"), access.Object("model:flowers")

// full is one row of each kind, and grants with all their fields and with few.
func full() access.Rules {
	return access.Rules{
		Owners:    map[access.Object]access.Principal{scans: "user:olga", flowers: "group:botany"},
		Datasets:  []access.Registered{{Name: "scans", URI: "hdfs://nn:8020/scans", Owner: "user:olga", By: "user:root", Created: at}},
		Snapshots: []access.Snapshot{{Dataset: "scans", Digest: "sha256:aa", Entries: 7, By: "user:alice", At: at}},
		Grants: []access.Grant{
			{ID: 1, Object: scans, Effect: access.Allow, Principal: "group:radiology", Right: access.Train, By: "user:olga", At: at},
			{ID: 2, Object: flowers, Effect: access.Deny, Principal: "user:bob", Right: access.Use, Purpose: "sales",
				Expires: at.Add(time.Hour), Reason: "ümlaut\n'", By: "user:olga", At: at},
		},
		Declassifications: []access.Declassification{{ID: 1, Version: "flowers@7", Dataset: scans, Right: access.Use, Expires: at.Add(time.Hour), Reason: "public", By: "user:olga", At: at}},
		Tokens:            []access.Token{token("0a")},
	}
}

func token(id string) access.Token {
	return access.Token{ID: id, Principal: "service:triage", Purpose: "triage", Note: "of the \"night\" shift", By: "user:root",
		Created: at, Expires: at.Add(time.Hour), Hash: sha256.Sum256([]byte(id))}
}

func update(t *testing.T, s access.Store, f func(w access.Writer) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// fill adds the rows of full to an empty store.
func fill(w access.Writer) error {
	r := full()
	err := errors.Join(w.AddObject(scans, r.Datasets[0]), w.AddObject(flowers, access.Registered{Owner: "group:botany", By: "user:root", Created: at}))
	err = errors.Join(err, w.AddSnapshot(r.Snapshots[0]), w.AddToken(r.Tokens[0]))
	for _, g := range r.Grants {
		_, failed := w.AddGrant(g)
		err = errors.Join(err, failed)
	}
	_, failed := w.AddDeclassification(r.Declassifications[0])
	return errors.Join(err, failed)
}

func rules(t *testing.T, s access.Store) access.Rules {
	t.Helper()
	r, err := s.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func generation(t *testing.T, s access.Store) int64 {
	t.Helper()
	n, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testEmpty(t *testing.T, s, _ access.Store) {
	r := rules(t, s)
	if len(r.Owners)+len(r.Datasets)+len(r.Snapshots)+len(r.Grants)+len(r.Declassifications)+len(r.Tokens)+len(r.Damage) != 0 {
		t.Errorf("an empty store has rows: %+v", r)
	}
}

// Rows are read as they were written, by every process, at the generation that the
// store has.
func testRows(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	update(t, s, func(w access.Writer) error { return w.AddSnapshot(full().Snapshots[0]) })
	for _, store := range []access.Store{s, other} {
		got, want := rules(t, store), full()
		want.Generation = generation(t, store)
		if len(got.Damage) > 0 {
			t.Errorf("damage: %v", got.Damage)
		}
		got.Damage = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func testRevoked(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.RevokeGrant(1, "user:olga", at), w.RevokeDeclassification(1, "user:olga", at), w.RevokeToken("0a", "user:olga", at),
			w.RevokeGrant(99, "user:olga", at), w.RevokeDeclassification(99, "user:olga", at), w.RevokeToken("none", "user:olga", at))
	})
	r := rules(t, other)
	if len(r.Grants) != 1 || r.Grants[0].ID != 2 || len(r.Declassifications) != 0 || len(r.Tokens) != 0 {
		t.Errorf("after revoking: %+v", r)
	}
}

func testOwner(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.SetOwner(scans, "user:otto"), w.SetOwner("model:none", "user:otto"))
	})
	r := rules(t, other)
	want := map[access.Object]access.Principal{scans: "user:otto", flowers: "group:botany"}
	if !maps.Equal(r.Owners, want) || len(r.Datasets) != 1 || r.Datasets[0].Owner != "user:otto" {
		t.Errorf("owners: %v, %+v", r.Owners, r.Datasets)
	}
}

// A removed object has no rows in force, also after it was added again. Nothing can be
// added to it before.
func testRemoved(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.RemoveObject(scans, "user:olga", at), w.RemoveObject(scans, "user:root", at), w.RemoveObject("dataset:none", "user:olga", at))
	})
	gone := func(when string, owners map[access.Object]access.Principal) {
		t.Helper()
		r := rules(t, other)
		if !maps.Equal(r.Owners, owners) || len(r.Snapshots) != 0 || len(r.Grants) != 1 || r.Grants[0].ID != 2 || len(r.Declassifications) != 0 || len(r.Tokens) != 1 {
			t.Errorf("%s: %+v", when, r)
		}
	}
	gone("after the removal", map[access.Object]access.Principal{flowers: "group:botany"})
	for name, add := range map[string]func(w access.Writer) error{
		"a grant":            func(w access.Writer) error { _, err := w.AddGrant(full().Grants[0]); return err },
		"a declassification": func(w access.Writer) error { _, err := w.AddDeclassification(full().Declassifications[0]); return err },
		"a snapshot":         func(w access.Writer) error { return w.AddSnapshot(full().Snapshots[0]) },
	} {
		if err := s.Update(t.Context(), add); err == nil {
			t.Errorf("%s was added to a removed dataset", name)
		}
	}
	again := access.Registered{Name: "scans", URI: "file:///scans", Owner: "user:otto", By: "user:root", Created: at.Add(time.Hour)}
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.SetOwner(scans, "user:olga"), w.AddObject(scans, again))
	})
	gone("added again", map[access.Object]access.Principal{flowers: "group:botany", scans: "user:otto"})
	if r := rules(t, other); len(r.Datasets) != 1 || r.Datasets[0] != again {
		t.Errorf("added again: %+v", r.Datasets)
	}
	update(t, s, func(w access.Writer) error { return w.AddSnapshot(full().Snapshots[0]) })
	if r := rules(t, other); !slices.Equal(r.Snapshots, full().Snapshots) {
		t.Errorf("its snapshots: %+v", r.Snapshots)
	}
}

// A number is not used again after its row was revoked or its transaction failed.
func testNumbers(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.RevokeGrant(2, "user:olga", at), w.RevokeDeclassification(1, "user:olga", at))
	})
	update(t, other, func(w access.Writer) error {
		grant, err1 := w.AddGrant(full().Grants[0])
		declassification, err2 := w.AddDeclassification(full().Declassifications[0])
		if grant <= 2 || declassification <= 1 {
			t.Errorf("grant %d and declassification %d", grant, declassification)
		}
		return errors.Join(err1, err2)
	})
}

// What there may be only one of cannot be added twice.
func testUnique(t *testing.T, s, _ access.Store) {
	update(t, s, fill)
	same := token("0b")
	same.Hash = token("0a").Hash
	for name, add := range map[string]func(w access.Writer) error{
		"dataset": func(w access.Writer) error { return w.AddObject(scans, full().Datasets[0]) },
		"model": func(w access.Writer) error {
			return w.AddObject(flowers, access.Registered{Owner: "user:x", Created: at})
		},
		"token":           func(w access.Writer) error { return w.AddToken(token("0a")) },
		"token by secret": func(w access.Writer) error { return w.AddToken(same) },
		"grant on nothing": func(w access.Writer) error {
			_, err := w.AddGrant(access.Grant{Object: "dataset:none", Effect: access.Allow, Principal: "user:x", Right: access.Use, At: at})
			return err
		},
	} {
		if err := s.Update(t.Context(), add); err == nil {
			t.Errorf("%s: added", name)
		}
	}
}

// The generation grows with every change, and only then, for every process.
func testGeneration(t *testing.T, s, other access.Store) {
	last := generation(t, other)
	for _, c := range []struct {
		name   string
		change func(w access.Writer) error
	}{
		{"object", func(w access.Writer) error { return w.AddObject(scans, full().Datasets[0]) }},
		{"owner", func(w access.Writer) error { return w.SetOwner(scans, "user:otto") }},
		{"snapshot", func(w access.Writer) error { return w.AddSnapshot(full().Snapshots[0]) }},
		{"grant", func(w access.Writer) error { _, err := w.AddGrant(full().Grants[0]); return err }},
		{"revoked grant", func(w access.Writer) error { return w.RevokeGrant(1, "user:olga", at) }},
		{"declassification", func(w access.Writer) error { _, err := w.AddDeclassification(full().Declassifications[0]); return err }},
		{"revoked declassification", func(w access.Writer) error { return w.RevokeDeclassification(1, "user:olga", at) }},
		{"token", func(w access.Writer) error { return w.AddToken(token("0a")) }},
		{"removed object", func(w access.Writer) error { return w.RemoveObject(scans, "user:olga", at) }},
		{"revoked token", func(w access.Writer) error { return w.RevokeToken("0a", "user:olga", at) }},
	} {
		update(t, s, c.change)
		now := generation(t, other)
		if now <= last || rules(t, other).Generation != now {
			t.Errorf("%s: generation %d after %d", c.name, now, last)
		}
		last = now
	}
	update(t, s, func(w access.Writer) error {
		return errors.Join(w.RemoveObject(scans, "user:olga", at), w.SetOwner(scans, "user:olga"))
	})
	if now := generation(t, other); now != last {
		t.Errorf("nothing changed: generation %d after %d", now, last)
	}
}

// A transaction reads what it has written, and nobody else does before it ends.
func testOwnWrites(t *testing.T, s, other access.Store) {
	before := generation(t, s)
	update(t, s, func(w access.Writer) error {
		if err := fill(w); err != nil {
			return err
		}
		r, err := w.Rules()
		if len(r.Grants) != 2 || len(r.Owners) != 2 || r.Generation <= before {
			t.Errorf("the transaction reads %+v", r)
		}
		if seen := rules(t, other); len(seen.Owners) != 0 || generation(t, other) != before {
			t.Errorf("another reads %+v", seen)
		}
		return err
	})
}

func testRollback(t *testing.T, s, other access.Store) {
	before, failed := generation(t, s), errors.New("failed")
	err := s.Update(t.Context(), func(w access.Writer) error { return errors.Join(fill(w), failed) })
	if !errors.Is(err, failed) {
		t.Errorf("error: %v", err)
	}
	for _, store := range []access.Store{s, other} {
		if r := rules(t, store); len(r.Owners) != 0 || generation(t, store) != before {
			t.Errorf("after a failed transaction: %+v", r)
		}
	}
}

// Writers do not overwrite what they have not read: each adds a grant unless it is
// there.
func testWriters(t *testing.T, s, other access.Store) {
	update(t, s, fill)
	var writing sync.WaitGroup
	for i := range 16 {
		store := []access.Store{s, other}[i%2]
		g := full().Grants[0]
		g.Reason = string(rune('a' + i/2)) // two writers add each
		writing.Go(func() {
			err := store.Update(t.Context(), func(w access.Writer) error {
				r, err := w.Rules()
				if err != nil || slices.ContainsFunc(r.Grants, func(o access.Grant) bool { return o.Reason == g.Reason }) {
					return err
				}
				_, err = w.AddGrant(g)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	if r := rules(t, s); len(r.Grants) != 2+8 {
		t.Errorf("%d grants, want 10", len(r.Grants))
	}
}

// The audit log is one for all processes, and a record in it is no change of the policy.
func testAudit(t *testing.T, s, other access.Store) {
	before := generation(t, s)
	logs := make([]audit.Log, 2)
	for i, store := range []access.Store{s, other} {
		var err error
		if logs[i], err = store.OpenLog(); err != nil {
			t.Fatal(err)
		}
		defer logs[i].Close()
	}
	var writing sync.WaitGroup
	for i := range 12 {
		writing.Go(func() {
			if err := logs[i%2].Append(t.Context(), audit.Record{Who: "user:olga", Action: "test", Outcome: audit.Allowed}); err != nil {
				t.Error(err)
			}
		})
	}
	writing.Wait()
	for _, log := range logs {
		v, err := log.Verify(t.Context())
		if err != nil || v.Records != 12 || v.Last.Sequence != 12 || len(v.Problems) > 0 || log.Compare(t.Context()) != nil {
			t.Errorf("the log: %+v, %v; compared: %v", v, err, log.Compare(t.Context()))
		}
		v, err = log.Verify(t.Context(), audit.Position{Sequence: 3, Hash: "other"}, audit.Position{Sequence: 13, Hash: "lost"})
		if err != nil || len(v.Problems) != 2 {
			t.Errorf("noted positions that differ: %+v, %v", v.Problems, err)
		}
		n := 0
		for r, err := range log.Records(t.Context()) {
			if n++; err != nil || r.Sequence != int64(n) || r.Action != "test" {
				t.Errorf("record %d: %+v, %v", n, r, err)
			}
			if n == 5 {
				break
			}
		}
	}
	if generation(t, other) != before {
		t.Error("a record in the log is a change of the policy")
	}
}

func testCancellation(t *testing.T, s, _ access.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err1 := s.Generation(ctx)
	_, err2 := s.Rules(ctx)
	log, err := s.OpenLog()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, err := range []error{err1, err2, log.Append(ctx, audit.Record{Who: "user:olga", Action: "test", Outcome: audit.Allowed}), s.Update(ctx, fill)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	}
}
