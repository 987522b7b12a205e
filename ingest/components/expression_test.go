package components

import (
	"reflect"
	"testing"

	"github.com/warpstreamlabs/bento/public/service"
)

func TestExpression(t *testing.T) {
	m := service.NewMessage([]byte("no JSON"))
	m.MetaSetMut("camera", "north")
	m.MetaSetMut("n", 4)
	for text, want := range map[string]any{
		"@camera":  "north",
		"@n":       4,
		"@missing": nil,
		`if @n > 3 { [@camera, null] } else { "few" }`: []any{"north", nil},
		"content().length() == 7":                      true,
		"@n.\n  string()":                              "4",
	} {
		e, err := parseExpression(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.of(m); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s gives %v (%T), %v; want %v", text, got, got, err, want)
		}
	}
	for _, text := range []string{"", "let a = 1", "1) \nroot.other = (2", "unknown()"} {
		if _, err := parseExpression(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for _, text := range []string{`throw("no")`, "deleted()", "@n.uppercase()"} {
		if e, err := parseExpression(text); err == nil {
			if value, err := e.of(m); err == nil {
				t.Errorf("%s gives %v", text, value)
			}
		}
	}
}
