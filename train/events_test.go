package train_test

import (
	"bytes"
	"testing"
	"time"

	"tkit/train"
)

// Of frequent progress at most two lines a second are written; other events all
// are.
func TestJSONLines(t *testing.T) {
	var out bytes.Buffer
	observe := train.JSONLines(&out)
	begun := time.Now()
	const events = 1000
	for i := range events {
		observe(train.Progress{Phase: train.Snapshot, Done: i})
		observe(train.Noted{Text: "note"})
	}
	allowed := 1 + int(2*time.Since(begun).Seconds())
	if n := bytes.Count(out.Bytes(), []byte(`"progress"`)); n < 1 || n > allowed {
		t.Errorf("%d lines of progress, want 1 to %d", n, allowed)
	}
	if n := bytes.Count(out.Bytes(), []byte(`"note"`)); n < events {
		t.Errorf("%d of %d notes", n, events)
	}
}
