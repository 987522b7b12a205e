// Package timespan parses durations, also in days.
package timespan

import (
	"errors"
	"math"
	"strings"
	"time"
)

// ErrInvalid is the error of a text that is no duration.
var ErrInvalid = errors.New("want a time with its unit, such as 90s, 12h or 30d, and at most 290 years")

const day = 24 * time.Hour

// Parse parses a duration as [time.ParseDuration] does, but it may begin with days of 24
// hours, such as 30d, 1.5d or 1d12h. A duration with days is not negative.
func Parse(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	if strings.Trim(days, "0123456789.") != "" || found && strings.ContainsAny(rest, "+-") {
		return 0, ErrInvalid
	}
	if rest == "" && found {
		rest = "0s"
	}
	whole, err1 := time.ParseDuration(days + "h")
	more, err2 := time.ParseDuration(rest)
	if err1 != nil || err2 != nil || whole > math.MaxInt64/(day/time.Hour) || more > math.MaxInt64-whole*(day/time.Hour) {
		return 0, ErrInvalid
	}
	return whole*(day/time.Hour) + more, nil
}
