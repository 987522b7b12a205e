package access_test

import (
	"testing"
	"time"

	"tkit/access"
)

func TestParseExpiry(t *testing.T) {
	now := time.Date(2027, 1, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"12h":        now.Add(12 * time.Hour),
		"30d":        now.Add(30 * 24 * time.Hour),
		"1.5d":       now.Add(36 * time.Hour),
		"2027-01-30": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-29": {}, "": {}, "0d": {}, "-1h": {}, "200000d": {}, "d": {}, "soon": {},
	} {
		got, err := access.ParseExpiry(text, now)
		if !got.Equal(want) || (err == nil) != !want.IsZero() {
			t.Errorf("ParseExpiry(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}
