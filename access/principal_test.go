package access

import (
	"strings"
	"testing"

	"tkit/internal/fuzztest"
)

func TestParsePrincipal(t *testing.T) {
	for s, want := range map[string]bool{
		"user:alice": true, "group:radiology": true, "service:triage": true, `user:CORP\alice`: true, "user:alice@EXAMPLE.ORG": true, "user:ålice": true,
		"": false, "alice": false, "user:": false, "role:x": false, "user:a b": false, "user:a,b": false, "user:a:b": false, "user:a\n": false,
		"user:\xff": false, "user:" + strings.Repeat("x", 300): false, "User:alice": false,
	} {
		p, err := ParsePrincipal(s)
		if (err == nil) != want || err == nil && string(p) != s {
			t.Errorf("%q: %q, %v", s, p, err)
		}
	}
}

func TestParseRights(t *testing.T) {
	rights, err := ParseRights("train, USE,download")
	if err != nil || len(rights) != 3 || rights[0] != Train || rights[1] != Use || rights[2] != Download {
		t.Errorf("got %v, %v", rights, err)
	}
	for _, s := range []string{"", "write", "train,,use"} {
		if _, err := ParseRights(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func FuzzParsePrincipal(f *testing.F) {
	for _, s := range []string{"user:alice", "group:x", "service:", "a:b:c", "user:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		defer fuzztest.Watch(t, len(s))()
		p, err := ParsePrincipal(s)
		if err == nil && (p.Kind()+":"+p.Name() != s || strings.ContainsAny(p.Name(), " ,:\n\t")) {
			t.Errorf("%q became %q", s, p)
		}
	})
}
