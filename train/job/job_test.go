package job

import (
	"errors"
	"testing"

	"tkit/train/scratch"
)

// Invalid options are refused with the name of the option.
func TestCheck(t *testing.T) {
	flipped := scratch.Augment{Flip: true}
	for name, c := range map[string]struct {
		o      Options
		option string
	}{
		"neither":                {Options{Model: "m", Data: "d"}, "architecture"},
		"both":                   {Options{Model: "m", Data: "d", Base: "b", Architecture: "lenet5"}, "base"},
		"no data":                {Options{Model: "m", Base: "b"}, "data"},
		"no model":               {Options{Data: "d", Base: "b"}, "name"},
		"bad model":              {Options{Model: "a b", Data: "d", Base: "b"}, "name"},
		"copies as they are":     {Options{Model: "m", Data: "d", Base: "b", Copies: 2}, "copies"},
		"a way without copies":   {Options{Model: "m", Data: "d", Base: "b", Augment: flipped}, "copies"},
		"varied copies":          {Options{Model: "m", Data: "d", Base: "b", Copies: 2, Augment: flipped}, ""},
		"from scratch":           {Options{Model: "m", Data: "d", Architecture: "lenet5"}, ""},
		"from scratch, and flip": {Options{Model: "m", Data: "d", Architecture: "lenet5", Augment: flipped}, ""},
	} {
		err := c.o.Check()
		var about *OptionError
		if errors.As(err, &about) != (c.option != "") || about != nil && about.Option != c.option {
			t.Errorf("%s: %v, want an error about %q", name, err, c.option)
		}
	}
}
