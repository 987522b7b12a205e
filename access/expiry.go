package access

import (
	"fmt"
	"time"

	"tkit/internal/timespan"
)

// ParseExpiry parses an expiry: a time from now, such as 720h or 30d, or a day,
// such as 2027-01-31, to whose end in now's time zone it lasts.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	end, err := parseEnd(text, now)
	switch {
	case err != nil:
		return time.Time{}, err
	case !end.After(now):
		return time.Time{}, fmt.Errorf("%s has passed", text)
	case end.Sub(now) > maxExpiry:
		return time.Time{}, fmt.Errorf("%s is more than a hundred years away", text)
	}
	return end, nil
}

func parseEnd(text string, now time.Time) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	d, err := timespan.Parse(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: want a time from now, such as 30d or 12h, or a day, such as 2027-01-31", text)
	}
	return now.Add(d), nil
}

// ParseTokenExpiry is ParseExpiry for a token, which lasts for at most a year.
func ParseTokenExpiry(text string, now time.Time) (time.Time, error) {
	end, err := ParseExpiry(text, now)
	if err == nil && end.Sub(now) > maxToken {
		return time.Time{}, fmt.Errorf("%s is more than a year away: a token lasts for at most 366d", text)
	}
	return end, err
}
