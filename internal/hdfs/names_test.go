package hdfs

import (
	"strings"
	"testing"

	"tkit/internal/fuzztest"
)

// The cases of Hadoop's TestKerberosName, and invalid ones.
func TestShortNames(t *testing.T) {
	const rules = `
RULE:[1:$1@$0](.*@YAHOO\.COM)s/@.*//
RULE:[2:$1](johndoe)s/^.*$/guest/
RULE:[2:$1;$2](^.*;admin$)s/;admin$//
RULE:[2:$2](root)
RULE:[1:$1@$0](.*@UPPER)s/(.*)@(.*)/$1/L
RULE:[1:$1@$0](.*@DASHED)s/[@-]/_/g
DEFAULT`
	for _, c := range []struct {
		rules, mechanism, name, realm string
		want, err                     string
	}{
		{"", "", "alice", "CORP", "alice", ""},
		{"", "", "hdfs/nn1", "CORP", "hdfs", ""},
		{"", "", "alice", "ELSEWHERE", "", "no rule gives alice@ELSEWHERE"},
		{"", "mit", "alice", "ELSEWHERE", "alice@ELSEWHERE", ""},
		{rules, "", "omalley", "YAHOO.COM", "omalley", ""},
		{rules, "", "johndoe/zoo", "FOO.COM", "guest", ""},
		{rules, "", "joe/admin", "FOO.COM", "joe", ""},
		{rules, "", "joe/root", "FOO.COM", "root", ""},
		{rules, "", "ALICE", "UPPER", "alice", ""},
		{rules, "", "a-b-c", "DASHED", "a_b_c_DASHED", ""},
		{rules, "", "hdfs/10.0.0.1", "CORP", "hdfs", ""},
		{rules, "", "root/joe", "FOO.COM", "", "no rule"},
		{"RULE:[1:$1@$0]", "hadoop", "alice", "X", "", "not a short name"},
		{"RULE:[1:$1@$0]", "MIT", "alice", "X", "alice@X", ""},
		{"RULE:[1:$2]", "", "alice", "X", "", "$2 is undefined"},
		{"RULE:[1:$1]s/a/$1/", "", "alice", "X", "", "$1 is undefined"},
		{"RULE:[1:$1", "", "alice", "X", "", "invalid rule"},
		{"RULE:[1:$1](*)", "", "alice", "X", "", "missing argument"},
		{"DEFAULT nonsense", "", "alice", "X", "", `invalid rule: "nonsense"`},
	} {
		got := ""
		n, err := newNamer(map[string]string{namesKey: c.rules, namesMechanismKey: c.mechanism})
		if err == nil {
			got, err = n.short(c.name, c.realm, "CORP")
		}
		if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s@%s by %q (%s): %q, %v; want %q, %q", c.name, c.realm, c.rules, c.mechanism, got, err, c.want, c.err)
		}
	}
}

// Any rules give a short name without a realm, or an error.
func FuzzShortNames(f *testing.F) {
	f.Add(`RULE:[2:$1@$0](svc@.*)s/@.*//gL DEFAULT`, "svc/host", "CORP")
	f.Fuzz(func(t *testing.T, rules, name, realm string) {
		defer fuzztest.Watch(t, len(rules)+len(name)+len(realm))()
		n, err := newNamer(map[string]string{namesKey: rules})
		if err != nil {
			return
		}
		if short, err := n.short(name, realm, "CORP"); err == nil && strings.ContainsAny(short, "/@") {
			t.Errorf("%q is a short name of %q@%q by %q", short, name, realm, rules)
		}
	})
}
