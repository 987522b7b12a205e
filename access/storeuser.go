package access

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A store with its own users, such as HDFS, decides for each user separately. So the
// user that the store sees must be the caller. That is the case if the names are
// equal, or if the home's access/store-users.yaml says so:
//
//	store-users:
//	  user:tkit: [svc-train]
//
// This is for accounts that have another name in the store. The owner of the home
// writes that file.

// readsAs reports whether a store's user is the given principal.
func (a *Authority) readsAs(p Principal, user string) (bool, error) {
	if user == "" || p.Kind() != GroupKind && p.Name() == user {
		return true, nil
	}
	file := filepath.Join(a.home, "access", "store-users.yaml")
	raw, err := readTrusted(file, a.owner)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("users of the store: %w", err)
	}
	users, err := parseStoreUsers(raw)
	if err != nil {
		return false, fmt.Errorf("users of the store: %s: %w", file, err)
	}
	return slices.Contains(users[p], user), nil
}

func parseStoreUsers(raw []byte) (map[Principal][]string, error) {
	var form struct {
		Users map[string][]string `yaml:"store-users"`
	}
	if err := decodeTrusted(raw, &form); err != nil {
		return nil, err
	}
	all := make(map[Principal][]string, len(form.Users))
	for name, users := range form.Users {
		p, err := ParsePrincipal(name)
		if err != nil {
			return nil, err
		}
		if p.Kind() == GroupKind || slices.ContainsFunc(users, func(u string) bool { return strings.TrimSpace(u) == "" }) {
			return nil, fmt.Errorf("%w: %.80q: write user:NAME or service:NAME, and the names of users", ErrInvalid, name)
		}
		all[p] = users
	}
	return all, nil
}

// checkStoreUser refuses a request about data whose store is read as another user
// than the caller.
func (a *Authority) checkStoreUser(who Caller, r Request, d Decision) (Decision, error) {
	if !d.Allowed || r.Store == "" {
		return d, nil
	}
	same, err := a.readsAs(who.Principal, r.Store)
	if err == nil && !same {
		d.Allowed, d.ReadAs = false, r.Store
		d.Reason = fmt.Sprintf("the store is read as %s, but %s asks: each user has different permissions there", r.Store, who.Principal)
	}
	return d, err
}

// remedy returns the remedy for a store that is read as another user.
func remedy(p Principal, user string) string {
	return fmt.Sprintf("let HDFS see %[1]s: with a ticket of %[1]s (kinit %[1]s, or a keytab), as a service that may act for them "+
		"(HADOOP_PROXY_USER=%[1]s), or on a cluster without Kerberos without HADOOP_USER_NAME; "+
		"where %[2]s is the name that %[3]s has in HDFS, the home's owner writes that into access/store-users.yaml", p.Name(), user, p)
}
