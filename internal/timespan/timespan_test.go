package timespan_test

import (
	"errors"
	"testing"
	"time"

	"tkit/internal/timespan"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "-1h": -time.Hour, "0": 0,
		"30d": 30 * day, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "400d": 400 * day, "106751d": 106751 * day,
	} {
		if got, err := timespan.Parse(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", ".d", "5", "1.2.3d", "-1d", "+1d", "1d-1h", "1d1d", "1h1d", "1day", "1 d", "106752d", "106751d24h", "99999999999999d", "soon"} {
		if got, err := timespan.Parse(text); !errors.Is(err, timespan.ErrInvalid) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
