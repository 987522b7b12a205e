package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrInvalid is the error of a name, right or grant that is not valid.
var ErrInvalid = errors.New("invalid")

// A Principal is the name of a user, group or service: "user:alice",
// "group:radiology" or "service:triage".
type Principal string

// The kinds of principals.
const (
	UserKind    = "user"
	GroupKind   = "group"
	ServiceKind = "service"
)

// User is the principal of a user's name.
func User(name string) Principal { return Principal(UserKind + ":" + name) }

// Group is the principal of a group's name.
func Group(name string) Principal { return Principal(GroupKind + ":" + name) }

// Kind is UserKind, GroupKind or ServiceKind.
func (p Principal) Kind() string { kind, _, _ := strings.Cut(string(p), ":"); return kind }

// Name is the principal's name without its kind.
func (p Principal) Name() string { _, name, _ := strings.Cut(string(p), ":"); return name }

// maxPrincipal bounds a principal, in bytes.
const maxPrincipal = 256

// ParsePrincipal reads KIND:NAME. A name has no spaces, control characters,
// commas or colons.
func ParsePrincipal(s string) (Principal, error) {
	kind, name, _ := strings.Cut(s, ":")
	known := kind == UserKind || kind == GroupKind || kind == ServiceKind
	wrong := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == ',' || r == ':' || r == utf8.RuneError
	}
	if !known || name == "" || len(s) > maxPrincipal || strings.ContainsFunc(name, wrong) {
		return "", fmt.Errorf("%w: principal %.80q: write user:NAME, group:NAME or service:NAME", ErrInvalid, s)
	}
	return Principal(s), nil
}
