package access

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/access/audit"
)

// members is groups for the tests.
type members map[Principal][]Principal

func (m members) Of(_ context.Context, p Principal) ([]Principal, error) {
	if p == "user:unknowable" {
		return nil, errors.New("the directory does not answer")
	}
	return m[p], nil
}

// A fixture is a home in which olga owns the dataset scans.
type fixture struct {
	*Authority
	home, data string
	root, olga Caller
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{home: t.TempDir(), data: filepath.Join(t.TempDir(), "scans"), root: Caller{Principal: "user:root"}, olga: Caller{Principal: "user:olga"}}
	if err := os.MkdirAll(filepath.Join(f.data, "2024"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.Authority = openAuthority(t, f.home)
	if _, err := f.RegisterDataset(t.Context(), f.root, "scans", f.data, "user:olga"); err != nil {
		t.Fatal(err)
	}
	return f
}

func openAuthority(t *testing.T, home string) *Authority {
	t.Helper()
	a, err := Open(t.Context(), home, TestStore, members{"user:alice": {"group:radiology"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (f *fixture) give(t *testing.T, who Caller, effect Effect, to Principal, r Right) Grant {
	t.Helper()
	g, err := f.AddGrant(t.Context(), who, Grant{Object: "dataset:scans", Effect: effect, Principal: to, Right: r})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (f *fixture) ask(t *testing.T, p Principal) Caller {
	t.Helper()
	who, err := f.Resolve(t.Context(), Caller{Principal: p})
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func (f *fixture) may(t *testing.T, a *Authority, p Principal, r Right) bool {
	t.Helper()
	who, err := a.Resolve(t.Context(), Caller{Principal: p})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authorize(t.Context(), who, Request{Action: "test", Right: r, Object: "dataset:scans"})
	if err != nil && !errors.Is(err, ErrDenied) {
		t.Fatal(err)
	}
	return err == nil
}

func TestGiveAndTake(t *testing.T) {
	f := newFixture(t)
	other := openAuthority(t, f.home) // as another process has it
	if f.may(t, f.Authority, "user:alice", Train) {
		t.Fatal("a registered dataset is open")
	}
	g := f.give(t, f.olga, Allow, "group:radiology", Train)
	if !f.may(t, f.Authority, "user:alice", Train) || !f.may(t, other, "user:alice", Train) {
		t.Error("a member of the group may not")
	}
	if f.may(t, other, "user:bob", Train) {
		t.Error("who is not in the group may")
	}
	if err := f.RevokeGrant(t.Context(), f.olga, "dataset:scans", g.ID); err != nil {
		t.Fatal(err)
	}
	if f.may(t, f.Authority, "user:alice", Train) || f.may(t, other, "user:alice", Train) {
		t.Error("a revoked grant still counts")
	}
}

func TestWhoMayChange(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:greta", Administer)
	greta, alice := f.ask(t, "user:greta"), f.ask(t, "user:alice")
	given := f.give(t, greta, Allow, "user:alice", Read)
	administers := f.give(t, f.olga, Allow, "user:gustav", Administer)
	give := func(who Caller, o Object, r Right) error {
		_, err := f.AddGrant(t.Context(), who, Grant{Object: o, Effect: Allow, Principal: "user:alice", Right: r})
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"alice gives to herself", give(alice, "dataset:scans", Train), ErrDenied},
		{"the administrator of the home is not the owner", give(f.root, "dataset:scans", Train), ErrDenied},
		{"greta gives", give(greta, "dataset:scans", Train), nil},
		{"greta gives the right to give", give(greta, "dataset:scans", Administer), ErrDenied},
		{"greta takes the right to give", f.RevokeGrant(t.Context(), greta, "dataset:scans", administers.ID), ErrDenied},
		{"alice takes", f.RevokeGrant(t.Context(), alice, "dataset:scans", given.ID), ErrDenied},
		{"there is no such grant", f.RevokeGrant(t.Context(), f.olga, "dataset:scans", 99), ErrNotFound},
		{"there is no such dataset", give(f.olga, "dataset:scan", Train), ErrNotFound},
		{"there is no such model", give(f.olga, "model:flowers", Use), ErrNotFound},
		{"there is no such right on it", give(f.olga, "model:flowers", Train), ErrInvalid},
		{"greta gives it away", f.SetOwner(t.Context(), greta, "dataset:scans", "user:greta"), ErrDenied},
		{"olga gives it away", f.SetOwner(t.Context(), f.olga, "dataset:scans", "user:otto"), nil},
		{"and owns it no more", give(f.olga, "dataset:scans", Use), ErrDenied},
		{"the administrator gives it back", f.SetOwner(t.Context(), f.root, "dataset:scans", "user:olga"), nil},
	} {
		if (c.err == nil) != (c.want == nil) || !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}

func TestRegister(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name, uri string
		who       Principal
		owner     Principal
		want      error
	}{
		{"scans", f.data, "user:root", "user:olga", ErrInvalid}, // taken
		{"Scans", f.data, "user:root", "user:olga", ErrInvalid},
		{"more", filepath.Join(f.data, "none"), "user:root", "user:olga", os.ErrNotExist},
		{"more", f.data, "user:root", "olga", ErrInvalid},
		{"more", f.data, "user:mallory", "user:mallory", ErrDenied},
		{"more", filepath.Join(f.data, "2024"), "user:root", "group:radiology", nil},
	} {
		_, err := f.RegisterDataset(t.Context(), Caller{Principal: c.who}, c.name, c.uri, c.owner)
		if (err == nil) != (c.want == nil) || !errors.Is(err, c.want) {
			t.Errorf("%s at %s: %v, want %v", c.name, c.uri, err, c.want)
		}
	}
	p, err := f.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, place, err := Locate(filepath.Join(f.data, "2024"))
	if err != nil {
		t.Fatal(err)
	}
	if found := p.DatasetsAt(place); len(found) != 2 {
		t.Errorf("a dataset in a dataset: %v", found)
	}
}

// A home that everybody can write to is refused.
func TestHomeOfEverybody(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o757); err != nil {
		t.Fatal(err)
	}
	if a, err := Open(t.Context(), home, TestStore, nil); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("%v, %v", a, err)
	}
}

func TestGroupsUnknownMeansNo(t *testing.T) {
	f := newFixture(t)
	if _, err := f.Resolve(t.Context(), Caller{Principal: "user:unknowable"}); err == nil {
		t.Error("asked without groups")
	}
}

// A record about a model names the dataset versions behind it.
func TestRecordOfAVersion(t *testing.T) {
	f := newFixture(t)
	lineage := []Origin{
		{Version: "m@2", Model: "model:m", Data: []Data{{URI: "file://" + f.data, Digest: "sha256:bb"}}},
		{Version: "m@1", Model: "model:m", Data: []Data{{URI: "file:///elsewhere", Digest: "sha256:cc"}, {Datasets: []string{"scans"}, Digest: "sha256:aa"}}},
	}
	if _, err := f.Authorize(t.Context(), f.olga, Request{Action: "predict", Right: Use, Lineage: lineage}); err != nil {
		t.Fatal(err)
	}
	var last audit.Record
	for r, err := range f.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if want := []string{"dataset:scans@sha256:aa", "dataset:scans@sha256:bb"}; last.Model != "m@2" || !slices.Equal(last.Data, want) {
		t.Errorf("%s of %v, want %v", last.Model, last.Data, want)
	}
}

// A user unknown to all directories, which a failing directory also reports, is
// refused what any group is denied. A user who is known to be in no group is
// allowed it.
func TestDeniedGroupsAndUnknownUsers(t *testing.T) {
	f := newFixture(t)
	for _, p := range []Principal{"user:stranger", "user:loner", "user:alice"} {
		f.give(t, f.olga, Allow, p, Use)
		f.give(t, f.olga, Allow, p, Train)
	}
	f.give(t, f.olga, Deny, "group:leavers", Use)
	f.groups = members{"user:alice": {"group:radiology"}, "user:loner": {}}
	use := Request{Action: "test", Right: Use, Object: "dataset:scans"}
	for p, want := range map[Principal]error{"user:stranger": ErrUnknownGroups, "user:loner": nil, "user:alice": nil} {
		if _, err := f.Authorize(t.Context(), f.ask(t, p), use); !errors.Is(err, want) {
			t.Errorf("%s uses: %v, want %v", p, err, want)
		}
		if !f.may(t, f.Authority, p, Train) {
			t.Errorf("%s may not train, which no group is denied", p)
		}
	}
	known, unknown := f.ask(t, "user:loner"), f.ask(t, "user:stranger")
	if known.Memberships() == unknown.Memberships() {
		t.Error("what was decided for one holds for the other")
	}
}

func TestTokens(t *testing.T) {
	f := newFixture(t)
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	own, secret, err := f.CreateToken(t.Context(), f.olga, Token{Principal: "user:olga", Expires: in(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	service, _, err := f.CreateToken(t.Context(), f.root, Token{Principal: "service:triage", Expires: in(time.Hour), Purpose: "triage"})
	if err != nil {
		t.Fatal(err)
	}
	authenticate := func(secret string, at time.Time) (Token, error) {
		p, err := f.Policy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p.Authenticate(secret, at)
	}
	if got, err := authenticate(secret, time.Now()); err != nil || got.Principal != "user:olga" || got.ID != own.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, wrong := range map[string]struct {
		secret string
		at     time.Time
	}{
		"empty": {"", time.Now()}, "unknown": {secret + "x", time.Now()}, "its hash": {hex.EncodeToString(own.Hash[:]), time.Now()}, "expired": {secret, in(2 * time.Hour)},
	} {
		if _, err := authenticate(wrong.secret, wrong.at); !errors.Is(err, ErrUnauthenticated) || wrong.secret != "" && strings.Contains(err.Error(), wrong.secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := f.CreateToken(t.Context(), f.olga, Token{Principal: "user:root", Expires: in(time.Hour)}); !errors.Is(err, ErrDenied) {
		t.Errorf("olga makes a token of root's: %v", err)
	}
	for _, bad := range []Token{{Principal: "group:x", Expires: in(time.Hour)}, {Principal: "user:x"}, {Principal: "user:x", Expires: in(3 * maxToken)}} {
		if _, _, err := f.CreateToken(t.Context(), f.root, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if all, err := f.Tokens(t.Context(), f.root); err != nil || len(all) != 2 {
		t.Errorf("root sees %v, %v", all, err)
	}
	if some, err := f.Tokens(t.Context(), f.olga); err != nil || len(some) != 1 {
		t.Errorf("olga sees %v, %v", some, err)
	}
	if err := f.RevokeToken(t.Context(), f.olga, service.ID); !errors.Is(err, ErrDenied) {
		t.Errorf("olga ends another's token: %v", err)
	}
	if err := f.RevokeToken(t.Context(), f.olga, own.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(secret, time.Now()); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a revoked token: %v", err)
	}
	// No file of the home has the secret in it.
	err = filepath.WalkDir(f.home, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), strings.TrimPrefix(secret, tokenPrefix)) {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestGroupsFile(t *testing.T) {
	home := t.TempDir()
	g := HomeGroups(home)
	if got, err := g.Of(t.Context(), "user:root"); err != nil || len(got) == 0 {
		t.Errorf("without a file, root is in %v, %v", got, err)
	}
	file := filepath.Join(home, "access", "groups.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("groups:\n  radiology: [user:alice, service:triage]\n  staff: [user:alice]\n")
	for p, want := range map[Principal]int{"user:alice": 2, "service:triage": 1, "user:bob": 0} {
		if got, err := g.Of(t.Context(), p); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	for _, bad := range []string{"", "groups: [a]", "groups:\n  a: [alice]", "groups:\n  a: ['group:b']", "group:\n  a: []", "groups:\n  'a b': [user:x]",
		"groups: {a: ['user:x']}\n---\ngroups: {b: ['user:alice']}"} {
		write(bad)
		if got, err := g.Of(t.Context(), "user:alice"); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := GroupsFile(file).Of(t.Context(), "user:alice"); err == nil {
		t.Error("a file that was named is gone and nobody minds")
	}
}

func TestSystemGroups(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (SystemGroups{}).Of(t.Context(), self); err != nil || len(got) == 0 {
		t.Errorf("%s is in %v, %v", self, got, err)
	}
	for p, known := range map[Principal]bool{"user:nobody-has-this-name": false, "service:triage": true} {
		if got, err := (SystemGroups{}).Of(t.Context(), p); err != nil || len(got) != 0 || (got != nil) != known {
			t.Errorf("%s is in %v, %v", p, got, err)
		}
	}
}
