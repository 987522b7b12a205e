package savedmodel

import "testing"

// Where a variable's value is taken from, where the restore operation is silent
// about it.
func TestFinderBesideARestoreOperation(t *testing.T) {
	restored := map[string]place{"/copy": {key: "layer/w"}}
	distinct := []object{{name: "w", key: "layer/w"}, {name: "b", key: "layer/b"}}
	same := append(distinct, object{name: "b", key: "other/b"})
	for _, test := range []struct {
		name    string
		objects []object
		key     string
		want    string // "": nowhere
	}{
		{"restored", distinct, "/copy", "layer/w"},
		{"the object of its name", distinct, "/b", "layer/b"},
		{"no object of its name", distinct, "/c", ""},
		{"two objects of its name", same, "/b", ""},
		{"two objects of another name", same, "/w", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, ok := finder(restored, nil, test.objects)(&variable{key: test.key})
			if ok != (test.want != "") || ok && at.key != test.want {
				t.Errorf("%v %v, want %q", at, ok, test.want)
			}
		})
	}
}
