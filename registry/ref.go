package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// Production is the alias of a model's default version.
const Production = "production"

// A Ref refers to a version of a model: "flowers@7" by number, "flowers@champion"
// by alias, "flowers" to the default version.
type Ref struct {
	Model   string
	Version int    // 0: not given
	Alias   string // "": not given
}

// ParseRef reads a reference. Without version and alias it means the alias
// production.
func ParseRef(s string) (Ref, error) {
	model, which, given := strings.Cut(s, "@")
	if err := CheckModelName(model); err != nil {
		return Ref{}, fmt.Errorf("reference %.200q: %w", s, err)
	}
	if !given {
		return Ref{Model: model, Alias: Production}, nil
	}
	if which != "" && strings.Trim(which, "0123456789") == "" {
		n, err := strconv.ParseInt(which, 10, 32)
		if err != nil || n == 0 || which[0] == '0' {
			return Ref{}, fmt.Errorf("reference %.200q: %w: versions are numbered 1, 2, 3 …", s, ErrInvalid)
		}
		return Ref{Model: model, Version: int(n)}, nil
	}
	if err := CheckAliasName(which); err != nil {
		return Ref{}, fmt.Errorf("reference %.200q: %w", s, err)
	}
	return Ref{Model: model, Alias: which}, nil
}

// ParseAlias is ParseRef for an alias to move or remove: it refuses a version.
func ParseAlias(s string) (Ref, error) {
	r, err := ParseRef(s)
	if err == nil {
		err = r.CheckAlias()
	}
	return r, err
}

// ParseVersions reads what to remove: "flowers@7" is a version, and "flowers" all
// versions of a model. It refuses an alias.
func ParseVersions(s string) (Ref, error) {
	r, err := ParseRef(s)
	switch {
	case err != nil || r.Version != 0:
		return r, err
	case r.Model != s:
		return Ref{}, fmt.Errorf("%w: %s is an alias; name a version, as in %s@7, or, for all versions, the model", ErrInvalid, r, r.Model)
	}
	return Ref{Model: s}, nil
}

// CheckAlias refuses a reference to a version.
func (r Ref) CheckAlias() error {
	if r.Version == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s is a version, which is immutable; name an alias, as in %s@champion", ErrInvalid, r, r.Model)
}

// String returns the reference in the form that ParseRef reads.
func (r Ref) String() string {
	switch {
	case r.Version != 0:
		return r.Model + "@" + strconv.Itoa(r.Version)
	case r.Alias != "":
		return r.Model + "@" + r.Alias
	}
	return r.Model
}
