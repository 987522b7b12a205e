package store

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tkit/internal/present"
)

// WriteText writes what a plugin is, for a person.
func (i Installed) WriteText(w io.Writer) error {
	deterministic := "yes"
	if !i.Deterministic {
		deterministic = "no: its results are not cached"
	}
	pairs := [][2]string{
		{"plugin", i.Description.String()}, {"summary", i.Summary}, {"takes", i.Takes.String()}, {"gives", i.Gives.String()},
		{"deterministic", deterministic}, {"digest", i.Digest}, {"size", fmt.Sprintf("%d bytes", i.Size)}, {"installed", present.Time(i.At)},
	}
	if i.Python != nil {
		pairs = append(pairs, [2]string{"python", i.Python.Version + " with " + strings.Join(i.Python.Packages, ", ")})
	}
	if len(i.ConfigSchema) == 0 {
		return present.Pairs(w, append(pairs, [2]string{"configuration", "none"}))
	}
	if err := present.Pairs(w, pairs); err != nil {
		return err
	}
	fmt.Fprintln(w, "configuration, as a JSON Schema:")
	return present.JSON(w, json.RawMessage(i.ConfigSchema))
}
