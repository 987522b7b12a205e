package db

import (
	"fmt"
	"time"
)

// timeLayout is RFC 3339 in UTC with microseconds, so that texts sort like
// their times.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// FormatTime formats a time for a column. The zero time is the empty text.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// ParseTime parses the result of FormatTime.
func ParseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is no time", text)
	}
	return t, nil
}

// Time scans a column that always contains a time.
type Time time.Time

// Scan implements sql.Scanner.
func (t *Time) Scan(column any) error {
	text, ok := column.(string)
	if !ok || text == "" {
		return fmt.Errorf("a time is %#v in the database", column)
	}
	parsed, err := ParseTime(text)
	*t = Time(parsed)
	return err
}
