package access

import "time"

// A Decision is whether a request is allowed, and why.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	// Object is the object that decided: the first that refuses, otherwise the
	// last that allows; "" if no object governs.
	Object Object `json:"object,omitempty"`
	// Grant is the number of the grant that decided, 0 if none did.
	Grant int64 `json:"grant,omitempty"`
	// Unknown is why it could not be decided, and is therefore refused; nil if it
	// could.
	Unknown error `json:"-"`
	// ReadAs is the user of the store if the request is refused because this user
	// is not the caller.
	ReadAs string `json:"read_as,omitempty"`
	// Generation is the generation of the policy.
	Generation int64 `json:"generation"`
	// Until is the time at which the decision may change although the policy
	// does not, because something expires; zero: never.
	Until time.Time `json:"until,omitzero"`
}

// until keeps the earliest of the times that are set.
func (d *Decision) until(t time.Time) {
	if !t.IsZero() && (d.Until.IsZero() || t.Before(d.Until)) {
		d.Until = t
	}
}

// Holds reports whether the decision is still valid at a time and a generation.
func (d *Decision) Holds(generation int64, now time.Time) bool {
	return d.Generation == generation && live(d.Until, now)
}
