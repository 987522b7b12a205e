package db_test

import (
	"testing"
	"time"

	"tkit/internal/db"
)

func TestTime(t *testing.T) {
	for _, want := range []time.Time{{}, time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)} {
		text := db.FormatTime(want)
		if got, err := db.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	early, late := time.Unix(999_999_999, 999_999_000), time.Unix(1_000_000_000, 0)
	if a, b := db.FormatTime(early), db.FormatTime(late); a >= b || a != "2001-09-09T01:46:39.999999Z" {
		t.Errorf("%q is not before %q", a, b)
	}
	var scanned db.Time
	if err := scanned.Scan(db.FormatTime(late)); err != nil || !time.Time(scanned).Equal(late) {
		t.Errorf("scanned %v, %v", time.Time(scanned), err)
	}
	for _, wrong := range []any{nil, "", int64(7), "yesterday", "2001-09-09"} {
		if err := scanned.Scan(wrong); err == nil {
			t.Errorf("%#v is a time", wrong)
		}
	}
}
