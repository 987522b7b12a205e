package access

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// ParseExpiry parses an expiry: a time from now, such as 720h or 30d, or a day,
// such as 2027-01-31, to whose end in now's time zone it lasts.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		end := day.AddDate(0, 0, 1)
		if !end.After(now) {
			return time.Time{}, fmt.Errorf("%s has passed", text)
		}
		return end, nil
	}
	span, factor := text, time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok && strings.Trim(days, "0123456789.") == "" {
		span, factor = days+"h", 24
	}
	d, err := time.ParseDuration(span)
	if err != nil || d <= 0 || d > math.MaxInt64/factor {
		return time.Time{}, fmt.Errorf("%q: want a time from now, at most a hundred years, such as 30d or 12h, or a day, such as 2027-01-31", text)
	}
	return now.Add(factor * d), nil
}
