package registry_test

import (
	"errors"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/registry"
)

func TestParseRef(t *testing.T) {
	long := strings.Repeat("m", 128)
	for text, want := range map[string]registry.Ref{
		"flowers":            {Model: "flowers", Alias: "production"},
		"flowers@7":          {Model: "flowers", Version: 7},
		"flowers@production": {Model: "flowers", Alias: "production"},
		"v1.2_x-y@2x":        {Model: "v1.2_x-y", Alias: "2x"},
		"0@2147483647":       {Model: "0", Version: 1<<31 - 1},
		long + "@a":          {Model: long, Alias: "a"},
	} {
		if got, err := registry.ParseRef(text); err != nil || got != want {
			t.Errorf("ParseRef(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "@", "@7", "flowers@", "flowers@0", "flowers@07", "flowers@-1", "flowers@99999999999", "Flowers", "flowers@7@8",
		"../etc", ".hidden", "-v", "a/b", "a b", "blümchen", long + "m", "flowers@" + strings.Repeat("a", 65), "flowers@A", "a\x00",
	} {
		if got, err := registry.ParseRef(text); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("ParseRef(%q) = %v, %v; want ErrInvalid", text, got, err)
		}
	}
}

func TestRefString(t *testing.T) {
	for want, ref := range map[string]registry.Ref{
		"m": {Model: "m"}, "m@7": {Model: "m", Version: 7}, "m@champion": {Model: "m", Alias: "champion"},
	} {
		if got := ref.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"flowers", "flowers@7", "flowers@production", "a@0", "a@01", "@", "a@a@a", "a@9999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer fuzztest.Watch(t, len(text))()
		ref, err := registry.ParseRef(text)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("ParseRef(%q): %v", text, err)
			}
			return
		}
		if (ref.Version > 0) == (ref.Alias != "") || registry.CheckModelName(ref.Model) != nil {
			t.Errorf("ParseRef(%q) = %+v", text, ref)
		}
		if again, err := registry.ParseRef(ref.String()); err != nil || again != ref {
			t.Errorf("ParseRef(%q) = %v, written %s, read again %v, %v", text, ref, ref, again, err)
		}
	})
}
