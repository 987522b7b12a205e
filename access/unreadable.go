package access

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// An Unreadable is something in the database that the policy cannot be made of,
// such as a grant whose expiry is no time. Nobody knows what it was meant to
// allow or deny: it closes what it is about, and nothing else.
type Unreadable struct {
	// Object is closed, but for its owner's right to change its policy; "" where
	// what cannot be read gives nobody anything by being ignored.
	Object Object `json:"object,omitempty"`
	Row    string `json:"row"` // such as "grant 7"
	Reason string `json:"reason"`
}

func (u Unreadable) String() string {
	text := fmt.Sprintf("%s cannot be read: %s", u.Row, u.Reason)
	if u.Object != "" {
		text = fmt.Sprintf("%s is closed to everybody, since its %s", u.Object, text)
	}
	return text
}

// Unreadable is what of the policy cannot be read.
func (p *Policy) Unreadable() []Unreadable { return p.unreadable }

// closed says why an object is closed, "" where it is not.
func (p *Policy) closed(o Object) string {
	i := slices.IndexFunc(p.unreadable, func(u Unreadable) bool { return u.Object == o })
	if i < 0 || o == "" {
		return ""
	}
	return p.unreadable[i].String()
}

// unreadable notes what is wrong with a row, and says so.
func (r *Rules) unreadable(on Object, row string, wrong ...error) bool {
	err := errors.Join(wrong...)
	if err != nil {
		r.Unreadable = append(r.Unreadable, Unreadable{on, row, fmt.Sprintf("%.200s", err)})
	}
	return err != nil
}

// longest is how far away an expiry may be: what is meant to last for ever has
// none, and a year of five digits cannot be written.
const longest = 100 * 366 * 24 * time.Hour

// expiry is a time as exact as a column holds it. It refuses one that is past or
// too far away; the zero time, which is never, stays.
func expiry(expires, now time.Time) (time.Time, error) {
	if expires.IsZero() {
		return expires, nil
	}
	kept := expires.UTC().Truncate(time.Microsecond)
	if !kept.After(now) {
		return kept, fmt.Errorf("%w: the expiry %s is past already", ErrInvalid, expires.Format(time.RFC3339))
	}
	if kept.Sub(now) > longest {
		return kept, fmt.Errorf("%w: the expiry %s is more than a hundred years away: a grant that is not to end has none", ErrInvalid, expires.Format(time.RFC3339))
	}
	return kept, nil
}
