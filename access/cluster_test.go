package access

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The groups of a cluster apply only to datasets in it.
func TestDecideInCluster(t *testing.T) {
	near, far := Object("dataset:near"), Object("dataset:far")
	rules := Rules{
		Owners:   map[Object]Principal{near: "group:owners", far: "group:owners"},
		Datasets: []Registered{{Name: "near", URI: "file:///near"}, {Name: "far", URI: "hdfs://nn:8020/far"}},
		Grants: []Grant{
			{ID: 1, Object: near, Effect: Allow, Principal: "group:a", Right: Train}, {ID: 2, Object: far, Effect: Allow, Principal: "group:a", Right: Train},
			{ID: 3, Object: far, Effect: Deny, Principal: "group:students", Right: Use}, {ID: 4, Object: far, Effect: Allow, Principal: "user:alice", Right: Use},
		},
	}
	p := NewPolicy(rules)
	if got := p.Clusters([]Object{near, far, "dataset:none"}); len(got) != 1 || got[0] != "hdfs://nn:8020" {
		t.Fatalf("clusters: %v", got)
	}
	down := errors.New("down")
	in := func(err error, groups ...Principal) Caller {
		return Caller{Principal: "user:alice", Groups: []Principal{"group:a", "group:owners"}, clusters: map[string]inCluster{"hdfs://nn:8020": {groups, len(groups) == 0, err}}}
	}
	elsewhere := in(nil)
	elsewhere.clusters = map[string]inCluster{}
	for _, c := range []struct {
		name    string
		who     Caller
		right   Right
		on      Object
		want    bool
		unknown bool
	}{
		{"the home's groups here", in(nil, "group:b"), Train, near, true, false},
		{"the home's groups there", in(nil, "group:b"), Train, far, false, false},
		{"the cluster's groups there", in(nil, "group:a"), Train, far, true, false},
		{"an owner by the cluster", in(nil, "group:owners"), Promote, far, true, false},
		{"the cluster is down, here", in(down), Train, near, true, false},
		{"the cluster is down", in(down), Train, far, false, true},
		{"the cluster is down, and the user is named", in(down), Use, far, false, true},
		{"no groups, and a group is denied", in(nil), Use, far, false, true},
		{"groups, none of them denied", in(nil, "group:b"), Use, far, true, false},
		{"no groups, and no group is denied this", in(nil), Train, far, false, false},
		{"the cluster was not asked", elsewhere, Train, far, false, true},
	} {
		d := p.Decide(c.who, c.right, c.on, noon)
		if d.Allowed != c.want || (d.Unknown != nil) != c.unknown || d.Reason == "" {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

// clustered are groups of a home and of a cluster.
type clustered struct {
	members
	in map[Principal][]Principal
}

func (c clustered) OfCluster(_ context.Context, _ string, p Principal) ([]Principal, error) {
	if p == "user:unknowable" {
		return nil, errors.New("the NameNode does not answer")
	}
	return c.in[p], nil
}

// If groups are unknown, the request is refused with an error, and no decision
// is recorded. Changes of the policy also depend on groups.
func TestClusterDecides(t *testing.T) {
	a, err := Open(t.Context(), t.TempDir(), TestStore, clustered{in: map[Principal][]Principal{"user:alice": {"group:radiology"}, "user:bob": {"group:x"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.RegisterDataset(t.Context(), Caller{Principal: "user:root"}, "far", "hdfs://nn:8020/far", "group:radiology"); err != nil {
		t.Fatal(err)
	}
	lineage := []Origin{{Version: "m@1", Model: "model:m", Data: []Data{{Datasets: []string{"far"}}}}}
	for p, want := range map[Principal]error{"user:alice": nil, "user:bob": ErrDenied, "user:stranger": ErrDenied} {
		who, err := a.Resolve(t.Context(), Caller{Principal: p})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Authorize(t.Context(), who, Request{Action: "serve", Right: Use, Lineage: lineage}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", p, err, want)
		}
		_, err = a.AddGrant(t.Context(), who, Grant{Object: "dataset:far", Effect: Allow, Principal: p, Right: Read})
		if !errors.Is(err, want) {
			t.Errorf("%s gives: %v, want %v", p, err, want)
		}
	}
	before, err := a.log.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := a.NewPermission(Caller{Principal: "user:alice"}, Needs{Data: []Data{{Datasets: []string{"far"}}}})
	if err := c.Authorize(t.Context()); err != nil {
		t.Error(err)
	}
	who := Caller{Principal: "user:unknowable"}
	if _, err := a.Authorize(t.Context(), who, Request{Action: "test", Right: Use, Lineage: lineage}); !errors.Is(err, ErrUnknownGroups) || errors.Is(err, ErrDenied) {
		t.Errorf("unknown groups: %v", err)
	}
	if _, err := a.AddGrant(t.Context(), who, Grant{Object: "dataset:far", Effect: Allow, Principal: "user:x", Right: Read, Expires: time.Now().Add(time.Hour)}); !errors.Is(err, ErrUnknownGroups) {
		t.Errorf("unknown groups give: %v", err)
	}
	after, err := a.log.Verify(t.Context())
	if err != nil || after.Records != before.Records+1 || len(after.Problems) > 0 {
		t.Errorf("%d records after %d, %v", after.Records, before.Records, err)
	}
}
