package access

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// An Unreadable is a row of the database that is not valid, such as a grant whose expiry
// is not a time. It is unknown what it should allow or deny, so it closes its object,
// and nothing else.
type Unreadable struct {
	// Object is closed, except for its owner's right to change its policy. It is ""
	// if nobody gains a right by ignoring the row.
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

// Unreadable returns the rows of the policy that are not valid.
func (p *Policy) Unreadable() []Unreadable { return p.unreadable }

// closed returns why an object is closed, "" if it is not.
func (p *Policy) closed(o Object) string {
	i := slices.IndexFunc(p.unreadable, func(u Unreadable) bool { return u.Object == o })
	if i < 0 || o == "" {
		return ""
	}
	return p.unreadable[i].String()
}

// isUnreadable adds what is wrong with a row. It returns whether anything is.
func (p *Policy) isUnreadable(on Object, row string, wrong ...error) bool {
	err := errors.Join(wrong...)
	if err != nil {
		p.unreadable = append(p.unreadable, Unreadable{on, row, fmt.Sprintf("%.200s", err)})
	}
	return err != nil
}

// maxExpiry is how far away an expiry may be. What is meant to last for ever has none,
// and a year of five digits cannot be written.
const maxExpiry = 100 * 366 * 24 * time.Hour

// expiry returns a time as exact as a store keeps it. It refuses a time that is past or
// too far away. The zero time means never.
func expiry(expires, now time.Time) (time.Time, error) {
	if expires.IsZero() {
		return expires, nil
	}
	kept := expires.UTC().Truncate(time.Microsecond)
	if !kept.After(now) {
		return kept, fmt.Errorf("%w: the expiry %s is past already", ErrInvalid, expires.Format(time.RFC3339))
	}
	if kept.Sub(now) > maxExpiry {
		return kept, fmt.Errorf("%w: the expiry %s is more than a hundred years away: for a grant without end, set no expiry", ErrInvalid, expires.Format(time.RFC3339))
	}
	return kept, nil
}
