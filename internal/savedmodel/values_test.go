package savedmodel

import (
	"strings"
	"testing"

	"tkit/internal/savedmodel/bundle"
)

// TestFinder checks that values are located by objects first, whatever the
// names are.
func TestFinder(t *testing.T) {
	objects := []object{{node: 1, name: "w", key: "left/w"}, {node: 2, name: "w", key: "right/w"}, {node: 3, name: "b", key: "left/b"}}
	restored := map[string]place{"/copy": {key: "copy"}, "/part": {key: "whole", slice: "4 0,2"}, "/w_1": {key: "right/w"}, "/x": {key: "left/w"}}
	for name, c := range map[string]struct {
		variable variable
		restored map[string]place
		want     place
		says     string
	}{
		"the first of a name":              {variable{shared: "/w", object: 1}, restored, place{key: "left/w"}, ""},
		"the second of a name":             {variable{shared: "/w_1", object: 2}, restored, place{key: "right/w"}, ""},
		"a name that is another's":         {variable{shared: "/b", object: 2}, nil, place{key: "right/w"}, ""},
		"no object":                        {variable{shared: "/part", object: noObject}, restored, place{"whole", "4 0,2"}, ""},
		"an object that is not stored":     {variable{shared: "/copy", object: 9}, restored, place{key: "copy"}, ""},
		"two values":                       {variable{shared: "/x", object: 2}, restored, place{}, "damaged"},
		"a name beside a restore":          {variable{shared: "/b", object: noObject}, restored, place{}, "no value"},
		"a name alone":                     {variable{shared: "/b", object: noObject}, nil, place{key: "left/b"}, ""},
		"a name of two objects, by itself": {variable{shared: "/w", object: noObject}, nil, place{}, "no value"},
	} {
		at, err := finder(c.restored, &bundle.Reader{}, objects)(&c.variable)
		if at != c.want || c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, %v; want %v, %q", name, at, err, c.want, c.says)
		}
	}
}
