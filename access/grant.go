package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An Effect is whether a grant allows or denies.
type Effect string

// The effects.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// A Grant allows or denies a principal a right on an object.
type Grant struct {
	ID        int64     `json:"id"` // 1, 2, 3 … in a home; set by the store
	Object    Object    `json:"object"`
	Effect    Effect    `json:"effect"`
	Principal Principal `json:"principal"`
	Right     Right     `json:"right"`
	// Purpose, where set, limits the grant to requests for this purpose. A denial
	// for a purpose also applies to requests that state none: they might have it.
	Purpose string `json:"purpose,omitempty"`
	// Expires is when the grant ends; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	By      Principal `json:"by"` // who gave it, at At
	At      time.Time `json:"at"`
	// Damage is why the store could not read all of the row.
	Damage error `json:"-"`

	unread bool // the row is not valid
}

// maxText bounds purposes and reasons, in bytes.
const maxText = 4096

func (g Grant) check() error {
	if g.Effect != Allow && g.Effect != Deny {
		return fmt.Errorf("%w: a grant allows or denies, not %q", ErrInvalid, g.Effect)
	}
	if _, err := ParsePrincipal(string(g.Principal)); err != nil {
		return err
	}
	if rights := rightsOn[g.Object.Kind()]; !slices.Contains(rights, g.Right.general()) {
		return fmt.Errorf("%w: right %q on %s: there are %v", ErrInvalid, g.Right, g.Object, rights)
	}
	return checkText(g.Purpose, g.Reason)
}

func checkText(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxText || !utf8.ValidString(t) {
			return fmt.Errorf("%w: a purpose or reason is text of at most %d bytes", ErrInvalid, maxText)
		}
	}
	return nil
}

// live reports whether an expiry is in the future; the zero time means never.
func live(expires, now time.Time) bool { return expires.IsZero() || now.Before(expires) }

// covers reports whether the grant applies to requests for a purpose.
func (g *Grant) covers(purpose string) bool {
	return g.Purpose == "" || g.Purpose == purpose || g.Effect == Deny && purpose == ""
}

// A Declassification lifts a restriction: one right on one version no longer depends
// on a dataset. It does not extend to versions that are built on that one.
type Declassification struct {
	ID      int64     `json:"id"`
	Version string    `json:"version"` // as in "flowers@7"
	Dataset Object    `json:"dataset"`
	Right   Right     `json:"right"`
	Expires time.Time `json:"expires"` // always set
	Reason  string    `json:"reason"`  // never empty
	By      Principal `json:"by"`
	At      time.Time `json:"at"`
	Damage  error     `json:"-"` // see Grant

	unread bool // the row is not valid
}

// check refuses a declassification that is not valid.
func (e Declassification) check() error {
	switch {
	case !slices.Contains([]Right{Use, Download, Promote}, e.Right):
		return fmt.Errorf("%w: right %.40q: use, download and promote can be declassified", ErrInvalid, e.Right)
	case strings.TrimSpace(e.Reason) == "":
		return fmt.Errorf("%w: a declassification needs a reason", ErrInvalid)
	case e.Expires.IsZero():
		return fmt.Errorf("%w: a declassification needs an expiry", ErrInvalid)
	}
	return checkText(e.Reason)
}
