package access

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	const scans = Object("dataset:scans")
	rule := func(id int64, e Effect, p Principal, r Right) Grant {
		return Grant{ID: id, Object: scans, Effect: e, Principal: p, Right: r}
	}
	purposed := func(g Grant, purpose string) Grant { g.Purpose = purpose; return g }
	until := func(g Grant, at time.Time) Grant { g.Expires = at; return g }
	alice := Caller{Principal: "user:alice", Groups: []Principal{"group:radiology", "group:staff"}}
	research := Caller{Principal: "user:alice", Purpose: "research"}
	for _, c := range []struct {
		name   string
		grants []Grant
		who    Caller
		right  Right
		want   bool
		grant  int64
		until  time.Time
	}{
		{name: "closed", who: alice, right: Train},
		{name: "the owner", who: Caller{Principal: "user:olga"}, right: Train, want: true},
		{name: "an owner by group", who: Caller{Principal: "user:x", Groups: []Principal{"user:olga"}}, right: Train, want: true},
		{name: "allowed", grants: []Grant{rule(1, Allow, "user:alice", Train)}, who: alice, right: Train, want: true, grant: 1},
		{name: "another right", grants: []Grant{rule(1, Allow, "user:alice", Read)}, who: alice, right: Train},
		{name: "another principal", grants: []Grant{rule(1, Allow, "user:bob", Train)}, who: alice, right: Train},
		{name: "a service of the same name", grants: []Grant{rule(1, Allow, "service:alice", Train)}, who: alice, right: Train},
		{name: "by group", grants: []Grant{rule(1, Allow, "group:staff", Train)}, who: alice, right: Train, want: true, grant: 1},
		{name: "deny wins over allow", grants: []Grant{rule(1, Allow, "user:alice", Train), rule(2, Deny, "group:staff", Train)}, who: alice, right: Train, grant: 2},
		{name: "deny wins, the other way round", grants: []Grant{rule(1, Deny, "user:alice", Train), rule(2, Allow, "group:staff", Train)}, who: alice, right: Train, grant: 1},
		{name: "deny wins over the owner", grants: []Grant{rule(1, Deny, "user:olga", Train)}, who: Caller{Principal: "user:olga"}, right: Train, grant: 1},
		{name: "but not over the owner's right to grant", grants: []Grant{rule(1, Deny, "user:olga", Administer)}, who: Caller{Principal: "user:olga"}, right: Administer, want: true},
		{name: "expired", grants: []Grant{until(rule(1, Allow, "user:alice", Train), noon)}, who: alice, right: Train},
		{name: "expires", grants: []Grant{until(rule(1, Allow, "user:alice", Train), noon.Add(1))}, who: alice, right: Train, want: true, grant: 1, until: noon.Add(1)},
		{name: "an expired deny", grants: []Grant{until(rule(1, Deny, "user:alice", Train), noon), rule(2, Allow, "user:alice", Train)}, who: alice, right: Train, want: true, grant: 2},
		{name: "a deny that expires", grants: []Grant{until(rule(1, Deny, "user:alice", Train), noon.Add(5))}, who: alice, right: Train, grant: 1, until: noon.Add(5)},
		{name: "for its purpose", grants: []Grant{purposed(rule(1, Allow, "user:alice", Train), "research")}, who: research, right: Train, want: true, grant: 1},
		{name: "for another purpose", grants: []Grant{purposed(rule(1, Allow, "user:alice", Train), "sales")}, who: research, right: Train},
		{name: "for no stated purpose", grants: []Grant{purposed(rule(1, Allow, "user:alice", Train), "research")}, who: alice, right: Train},
		{name: "any purpose", grants: []Grant{rule(1, Allow, "user:alice", Train)}, who: research, right: Train, want: true, grant: 1},
		{name: "denied another purpose", grants: []Grant{rule(1, Allow, "user:alice", Train), purposed(rule(2, Deny, "user:alice", Train), "sales")}, who: research, right: Train, want: true, grant: 1},
		{name: "denied a purpose, none stated", grants: []Grant{rule(1, Allow, "user:alice", Train), purposed(rule(2, Deny, "user:alice", Train), "sales")}, who: alice, right: Train, grant: 2},
		{name: "for its alias", grants: []Grant{rule(1, Allow, "user:alice", PromoteTo("candidate"))}, who: alice, right: PromoteTo("candidate"), want: true, grant: 1},
		{name: "for another alias", grants: []Grant{rule(1, Allow, "user:alice", PromoteTo("candidate"))}, who: alice, right: PromoteTo("production")},
		{name: "for one alias, asked for all", grants: []Grant{rule(1, Allow, "user:alice", PromoteTo("candidate"))}, who: alice, right: Promote},
		{name: "for all aliases", grants: []Grant{rule(1, Allow, "user:alice", Promote)}, who: alice, right: PromoteTo("candidate"), want: true, grant: 1},
		{name: "denied for all aliases", grants: []Grant{rule(1, Allow, "user:alice", PromoteTo("candidate")), rule(2, Deny, "user:alice", Promote)}, who: alice, right: PromoteTo("candidate"), grant: 2},
		{name: "denied for one alias", grants: []Grant{rule(1, Allow, "user:alice", Promote), rule(2, Deny, "user:alice", PromoteTo("production"))}, who: alice, right: PromoteTo("production"), grant: 2},
		{name: "denied for another alias", grants: []Grant{rule(1, Allow, "user:alice", Promote), rule(2, Deny, "user:alice", PromoteTo("production"))}, who: alice, right: PromoteTo("candidate"), want: true, grant: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPolicy(Rules{Generation: 7, Owners: map[Object]Principal{scans: "user:olga"}, Grants: c.grants})
			d := p.Decide(c.who, c.right, scans, noon)
			if d.Allowed != c.want || d.Grant != c.grant || !d.Until.Equal(c.until) || d.Generation != 7 || d.Object != scans || d.Reason == "" {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestDecideUnregistered(t *testing.T) {
	p := NewPolicy(Rules{})
	if d := p.Decide(Caller{Principal: "user:alice"}, Train, Dataset("scans"), noon); d.Allowed {
		t.Errorf("a dataset that is not registered: %+v", d)
	}
	if d := p.Decide(Caller{Principal: "user:alice"}, Promote, Model("flowers"), noon); !d.Allowed {
		t.Errorf("a model without a policy: %+v", d)
	}
}

func TestDecideVersion(t *testing.T) {
	rules := Rules{
		Owners: map[Object]Principal{"dataset:scans": "user:olga", "dataset:xrays": "user:xenia", "model:base": "user:bo"},
		Datasets: []Registered{
			{Name: "scans", URI: "file:///data/scans"},
			{Name: "xrays", URI: "hdfs://nn:8020/data/xrays"},
		},
		Snapshots: []Snapshot{{Dataset: "scans", Digest: "sha256:copied"}},
		Grants: []Grant{
			{ID: 1, Object: "dataset:scans", Effect: Allow, Principal: "user:alice", Right: Use},
			{ID: 2, Object: "dataset:xrays", Effect: Allow, Principal: "user:alice", Right: Use, Expires: noon.Add(time.Hour)},
			{ID: 3, Object: "model:base", Effect: Allow, Principal: "user:alice", Right: Use},
			{ID: 4, Object: "dataset:scans", Effect: Allow, Principal: "user:carl", Right: Use},
		},
		Declassifications: []Declassification{
			{ID: 1, Version: "m@2", Dataset: "dataset:xrays", Right: Use, Expires: noon.Add(time.Minute), Reason: "public"},
			{ID: 2, Version: "m@3", Dataset: "dataset:xrays", Right: Use, Expires: noon, Reason: "public"},
		},
	}
	p := NewPolicy(rules)
	version := func(name string, data ...Data) Origin { return Origin{Version: name, Model: "model:m", Data: data} }
	scans, xrays := Data{Datasets: []string{"scans"}}, Data{Datasets: []string{"xrays"}}
	base := Origin{Version: "base@1", Model: "model:base"}
	for _, c := range []struct {
		name    string
		lineage []Origin
		who     Principal
		right   Right
		want    bool
		object  Object
	}{
		{"nothing behind it", []Origin{version("m@1", Data{URI: "file:///home/x"})}, "user:bob", Use, true, ""},
		{"by name", []Origin{version("m@1", scans)}, "user:alice", Use, true, "dataset:scans"},
		{"by name, not granted", []Origin{version("m@1", scans)}, "user:bob", Use, false, "dataset:scans"},
		{"every dataset must allow", []Origin{version("m@1", scans, xrays)}, "user:carl", Use, false, "dataset:xrays"},
		{"every dataset does", []Origin{version("m@1", scans, xrays)}, "user:alice", Use, true, "dataset:xrays"},
		{"another right", []Origin{version("m@1", scans)}, "user:alice", Download, false, "dataset:scans"},
		{"the owner of one of two", []Origin{version("m@1", scans, xrays)}, "user:olga", Use, false, "dataset:xrays"},
		{"behind the base", []Origin{version("m@1"), {Version: "b@1", Model: "model:b", Data: []Data{xrays}}}, "user:carl", Use, false, "dataset:xrays"},
		{"a base's own policy", []Origin{version("m@1"), base}, "user:carl", Use, false, "model:base"},
		{"a base's own policy allows", []Origin{version("m@1"), base}, "user:alice", Use, true, "model:base"},
		{"by place", []Origin{version("m@1", Data{URI: "file:///data/scans/2024"})}, "user:bob", Use, false, "dataset:scans"},
		{"by a folder above", []Origin{version("m@1", Data{URI: "file:///data"})}, "user:bob", Use, false, "dataset:scans"},
		{"by a neighbour of a longer name", []Origin{version("m@1", Data{URI: "file:///data/scans2"})}, "user:bob", Use, true, ""},
		{"by the other protocol", []Origin{version("m@1", Data{URI: "webhdfs://nn2:9870/data/xrays"})}, "user:bob", Use, false, "dataset:xrays"},
		{"by a manifest beside it", []Origin{version("m@1", Data{URI: "file:///data/list.csv"})}, "user:bob", Use, false, "dataset:scans"},
		{"by a manifest's format", []Origin{version("m@1", Data{URI: "file:///data/list?format=manifest"})}, "user:bob", Use, false, "dataset:scans"},
		{"by content", []Origin{version("m@1", Data{URI: "file:///tmp/x", Digest: "sha256:copied"})}, "user:bob", Use, false, "dataset:scans"},
		{"a dataset that is gone", []Origin{version("m@1", Data{Datasets: []string{"lost"}})}, "user:alice", Use, false, "dataset:lost"},
		{"declassified", []Origin{version("m@2", xrays)}, "user:bob", Use, true, ""},
		{"declassified for another right", []Origin{version("m@2", xrays)}, "user:bob", Download, false, "dataset:xrays"},
		{"declassified one dataset of two", []Origin{version("m@2", scans, xrays)}, "user:bob", Use, false, "dataset:scans"},
		{"no longer declassified", []Origin{version("m@3", xrays)}, "user:bob", Use, false, "dataset:xrays"},
		{"built on a declassified one", []Origin{version("m@4"), version("m@2", xrays)}, "user:bob", Use, false, "dataset:xrays"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := p.DecideVersion(Caller{Principal: c.who}, c.right, c.lineage, noon)
			if d.Allowed != c.want || d.Object != c.object || d.Reason == "" {
				t.Errorf("got %+v", d)
			}
		})
	}
	// A decision is cached until the first of what it rests on expires.
	d := p.DecideVersion(Caller{Principal: "user:alice"}, Use, []Origin{version("m@1", scans, xrays), base}, noon)
	if !d.Until.Equal(noon.Add(time.Hour)) || !d.Holds(0, noon) || d.Holds(0, d.Until) || d.Holds(1, noon) {
		t.Errorf("it holds until %v", d.Until)
	}
}

// BenchmarkDecide is a decision on a version with two datasets behind it, among
// 10,000 grants, for a user of ten groups.
func BenchmarkDecide(b *testing.B) {
	p, who, lineage := large()
	for b.Loop() {
		if d := p.DecideVersion(who, Use, lineage, noon); !d.Allowed {
			b.Fatal(d)
		}
	}
}

// large is a policy of 10,000 grants on 100 datasets.
func large() (*Policy, Caller, []Origin) {
	r := Rules{Owners: make(map[Object]Principal)}
	for i := range 100 {
		name := fmt.Sprintf("data-%03d", i)
		r.Owners[Dataset(name)] = "user:olga"
		r.Datasets = append(r.Datasets, Registered{Name: name, URI: "hdfs://nn/data/" + name})
		for k := range 100 {
			g := Grant{ID: int64(len(r.Grants) + 1), Object: Dataset(name), Effect: Allow, Right: Use, Principal: User(fmt.Sprintf("u%d", k))}
			if k%10 == 0 {
				g.Principal = Group(fmt.Sprintf("g%d", k))
			}
			r.Grants = append(r.Grants, g)
		}
	}
	who := Caller{Principal: "user:u1"}
	for k := range 10 {
		who.Groups = append(who.Groups, Group(fmt.Sprintf("g%d", 10*k)))
	}
	return NewPolicy(r), who, []Origin{{Version: "m@1", Model: "model:m", Data: []Data{
		{Datasets: []string{"data-042"}, URI: "hdfs://nn/data/data-042", Digest: "sha256:1"},
		{Datasets: []string{"data-077"}, URI: "hdfs://nn/data/data-077", Digest: "sha256:2"},
	}}}
}
