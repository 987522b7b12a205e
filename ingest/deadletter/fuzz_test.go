package deadletter

import (
	"encoding/json"
	"testing"

	"tkit/internal/fuzztest"
)

func FuzzParse(f *testing.F) {
	l := Letter{Source: "a.jpg", SHA256: "00", Stage: "classify", Cause: "truncated", Metadata: map[string]any{"camera": 4}}
	l.ID = l.identity()
	seed, err := json.Marshal(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"id": 3}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		defer fuzztest.Watch(t, len(encoded))()
		l, err := parse(encoded)
		if err != nil {
			return
		}
		again, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := parse(again); err != nil || other.ID != l.ID || other.Cause != l.Cause {
			t.Errorf("%+v became %+v, %v", l, other, err)
		}
	})
}
