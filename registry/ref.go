package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// Production is the alias that a reference without one means.
const Production = "production"

// A Ref refers to a version: "flowers@7" by number, "flowers@champion" by
// alias, "flowers" by the alias production.
type Ref struct {
	Model   string
	Version int    // 0: by alias
	Alias   string // "" when Version is set
}

// ParseRef reads a reference.
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

// String returns the reference in the form that ParseRef reads.
func (r Ref) String() string {
	if r.Version != 0 {
		return r.Model + "@" + strconv.Itoa(r.Version)
	}
	return r.Model + "@" + r.Alias
}
