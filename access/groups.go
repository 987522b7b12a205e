package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// Groups is the directory of groups: it returns the groups of a principal. Callers
// never supply them. An error means that they cannot be determined; then everything
// is refused. Nil, unlike an empty slice, means that no directory knows the
// principal, which a failing directory may also report. Then everything is refused
// that is denied to any group.
type Groups interface {
	Of(ctx context.Context, p Principal) ([]Principal, error)
}

// SystemGroups are the groups of the operating system, and therefore of the
// directory service that it uses. Services are in no group.
type SystemGroups struct{}

// Of returns the groups of a user of this machine, nil for an unknown user.
func (SystemGroups) Of(ctx context.Context, p Principal) ([]Principal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Kind() != UserKind {
		return []Principal{}, nil
	}
	u, err := user.Lookup(p.Name())
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", p, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", p, err)
	}
	all := []Principal{}
	for _, id := range ids {
		g, err := user.LookupGroupId(id)
		if _, unknown := errors.AsType[user.UnknownGroupIdError](err); unknown {
			continue // a number without a name, which no grant can name
		}
		if err != nil {
			return nil, fmt.Errorf("groups of %s: %w", p, err)
		}
		all = append(all, Group(g.Name))
	}
	return all, nil
}

// A GroupsFile is a YAML file that lists the members of each group:
//
//	groups:
//	  radiology: [user:alice, service:triage]
//
// It is read for every look-up. Nobody but root and the account that reads it may
// be able to write it.
type GroupsFile string

// Of returns the groups that list a principal.
func (f GroupsFile) Of(ctx context.Context, p Principal) ([]Principal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return groupsIn(string(f), uint32(os.Geteuid()), p)
}

// groupsIn reads a file of groups that only root and its owner can write.
func groupsIn(file string, owner uint32, p Principal) ([]Principal, error) {
	raw, err := readTrusted(file, owner)
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	members, err := parseGroups(raw)
	if err != nil {
		return nil, fmt.Errorf("groups: %s: %w", file, err)
	}
	all := []Principal{}
	for group, of := range members {
		if slices.Contains(of, p) {
			all = append(all, group)
		}
	}
	slices.Sort(all)
	return all, nil
}

func parseGroups(raw []byte) (map[Principal][]Principal, error) {
	var form struct {
		Groups map[string][]string `yaml:"groups"`
	}
	if err := decodeTrusted(raw, &form); err != nil {
		return nil, err
	}
	all := make(map[Principal][]Principal, len(form.Groups))
	for name, members := range form.Groups {
		group, err := ParsePrincipal(GroupKind + ":" + name)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			p, err := ParsePrincipal(m)
			if err != nil || p.Kind() == GroupKind {
				return nil, fmt.Errorf("%w: member %.80q of %s: write user:NAME or service:NAME", ErrInvalid, m, name)
			}
			all[group] = append(all[group], p)
		}
	}
	return all, nil
}

// HomeGroups are the groups in a home's access/groups.yaml or, without that file,
// those of the operating system. Nobody but root and the home's owner may be able to
// write the file.
type HomeGroups string

// Of returns the groups of a principal.
func (h HomeGroups) Of(ctx context.Context, p Principal) ([]Principal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	owner, err := ownerOf(string(h))
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	file := filepath.Join(string(h), "access", "groups.yaml")
	all, err := groupsIn(file, owner, p)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(file); err == nil {
			return nil, fmt.Errorf("groups: %s is a dangling link: restore its target, or remove it", file)
		}
		return SystemGroups{}.Of(ctx, p)
	}
	return all, err
}

// Self returns the principal of the system account that runs this process.
func Self() (Principal, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("determine the user of this process: %w", err)
	}
	// A domain's name before a backslash is part of the user's name.
	return ParsePrincipal(string(User(strings.TrimSpace(u.Username))))
}
