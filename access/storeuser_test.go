package access

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
)

// A store's permission for one user says nothing about another.
func TestStoreUser(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:alice", Train)
	f.give(t, f.olga, Allow, "service:batch", Train)
	permission := func(p Principal) *Permission {
		return f.NewPermission(Caller{Principal: p}, Needs{Data: []Data{{URI: f.data, Datasets: []string{"scans"}}}})
	}
	opened := func(p Principal, user string) error {
		c := permission(p)
		if err := c.Authorize(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c.Opened(t.Context(), user, f.data)
	}
	for _, c := range []struct {
		who  Principal
		user string
	}{{"user:alice", "alice"}, {"user:alice", ""}, {"service:batch", "batch"}} {
		if err := opened(c.who, c.user); err != nil {
			t.Errorf("%s reads as %q: %v", c.who, c.user, err)
		}
	}
	err := opened("user:alice", "svc-train")
	for _, word := range []string{"read as svc-train", "user:alice asks", "kinit alice", "HADOOP_PROXY_USER=alice", "HADOOP_USER_NAME", "store-users.yaml"} {
		if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), word) {
			t.Errorf("%v, want a refusal with %q", err, word)
		}
	}
	var last string
	for r, err := range f.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		last = r.Who + " as " + r.Store + ": " + string(r.Outcome)
	}
	if last != "user:alice as svc-train: denied" {
		t.Errorf("the last record is %s", last)
	}

	// The home's owner determines which other principals a user of the store
	// reads for.
	f.write(t, "store-users.yaml", "store-users: {user:alice: [svc-train]}", 0o600)
	held := permission("user:alice")
	if err := held.Opened(t.Context(), "svc-train", f.data); err != nil {
		t.Errorf("a user that the home names: %v", err)
	}
	if err := opened("service:batch", "svc-train"); !errors.Is(err, ErrDenied) {
		t.Errorf("a user that the home names for another: %v", err)
	}
	f.write(t, "store-users.yaml", "store-users: {}", 0o600)
	if err := held.check(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("a user that the home no longer names: %v", err)
	}
	for text, mode := range map[string]os.FileMode{
		"store-users: {user:alice: [svc-train]} ": 0o666, "store-users: {group:x: [svc-train]}": 0o600, "users: {user:alice: [svc-train]}": 0o600,
	} {
		f.write(t, "store-users.yaml", text, mode)
		if err := opened("user:alice", "svc-train"); err == nil || errors.Is(err, ErrDenied) {
			t.Errorf("%q with the mode %o: %v, want an error that tells it", text, mode, err)
		}
	}
}

// write writes a file of the home's folder access.
func (f *fixture) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	file := filepath.Join(f.home, "access", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), mode), os.Chmod(file, mode)); err != nil {
		t.Fatal(err)
	}
}

// A file that others can write is not used for groups.
func TestGroupsFileOfOthers(t *testing.T) {
	f := newFixture(t)
	groups := HomeGroups(f.home)
	f.write(t, "groups.yaml", "groups: {radiology: ['user:bob']}", 0o644)
	if all, err := groups.Of(t.Context(), "user:bob"); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	for _, mode := range []os.FileMode{0o664, 0o646} {
		f.write(t, "groups.yaml", "groups: {radiology: ['user:bob']}", mode)
		if all, err := groups.Of(t.Context(), "user:bob"); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("with the mode %o: %v, %v", mode, all, err)
		}
	}
	if os.Getuid() != 0 {
		return // only root gives files away
	}
	f.write(t, "groups.yaml", "groups: {radiology: ['user:bob']}", 0o600)
	if err := os.Chown(filepath.Join(f.home, "access", "groups.yaml"), 12345, 0); err != nil {
		t.Fatal(err)
	}
	if all, err := groups.Of(t.Context(), "user:bob"); err == nil || !strings.Contains(err.Error(), "12345") {
		t.Errorf("of another user: %v, %v", all, err)
	}
}

func FuzzParseStoreUsers(f *testing.F) {
	f.Add([]byte("store-users: {user:tkit: [svc-train]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer fuzztest.Watch(t, len(raw))()
		all, err := parseStoreUsers(raw)
		if err != nil {
			return
		}
		for p, users := range all {
			if p.Kind() == GroupKind || len(users) > 0 && users[0] == "" {
				t.Errorf("%q is %q", p, users)
			}
		}
	})
}
