package access

import "time"

// A Decision says whether a request is allowed, and why.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	// Object is what decided: the first that does not allow it, else the last
	// that does; "" where nothing governs.
	Object Object `json:"object,omitempty"`
	// Grant is the one that decided, 0 where none did.
	Grant int64 `json:"grant,omitempty"`
	// Unknown is why it could not be decided and so is not allowed; nil: it could.
	Unknown error `json:"-"`
	// ReadAs is the user of the store where it is refused because this user is not
	// the caller.
	ReadAs string `json:"read_as,omitempty"`
	// Generation is that of the policy.
	Generation int64 `json:"generation"`
	// Until is when it may come out otherwise though the policy stays, since
	// something expires; zero: never.
	Until time.Time `json:"until,omitzero"`
}

// until keeps the earliest of the times that are set.
func (d *Decision) until(t time.Time) {
	if !t.IsZero() && (d.Until.IsZero() || t.Before(d.Until)) {
		d.Until = t
	}
}

// Holds says whether the decision still stands at a time and a generation.
func (d *Decision) Holds(generation int64, now time.Time) bool {
	return d.Generation == generation && live(d.Until, now)
}
