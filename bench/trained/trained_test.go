package trained

import "testing"

func TestRegistered(t *testing.T) {
	const events = `{"event":"progress","data":{"phase":"snapshot","done":1}}
{"event":"registered","data":{"manifest":{"model":"m","metrics":{"accuracy":{"successes":9,"trials":10,"value":0.9}}}}}
`
	if a, err := registered([]byte(events)); err != nil || a.Value != 0.9 || a.Trials != 10 {
		t.Errorf("accuracy %+v, %v", a, err)
	}
	for _, bad := range []string{"", `{"event":"progress"}`, `{"event":"registered","data":{"manifest":{}}}`, "not JSON"} {
		if a, err := registered([]byte(bad)); err == nil {
			t.Errorf("%q: accuracy %+v and no error", bad, a)
		}
	}
}
