package access_test

import (
	"testing"
	"time"

	"tkit/access"
)

func TestParseTokenExpiry(t *testing.T) {
	now := time.Date(2027, 1, 30, 12, 0, 0, 0, time.UTC)
	for text, ok := range map[string]bool{"366d": true, "2028-01-30": true, "367d": false, "400d": false, "2028-02-01": false, "0d": false, "x": false} {
		if got, err := access.ParseTokenExpiry(text, now); (err == nil) != ok {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2027, 1, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"12h":        now.Add(12 * time.Hour),
		"30d":        now.Add(30 * 24 * time.Hour),
		"1.5d":       now.Add(36 * time.Hour),
		"2027-01-30": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"36600d":     now.Add(36600 * 24 * time.Hour),
		"2027-01-29": {}, "": {}, "0d": {}, "-1h": {}, "36601d": {}, "200000d": {}, "2200-01-01": {}, "d": {}, "soon": {},
	} {
		got, err := access.ParseExpiry(text, now)
		if !got.Equal(want) || (err == nil) != !want.IsZero() {
			t.Errorf("ParseExpiry(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}
