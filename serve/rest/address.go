package rest

import (
	"fmt"
	"strconv"
	"strings"

	"tkit/registry"
)

// An address is the parsed path below /v1/models/.
type address struct {
	ref  registry.Ref
	verb string // after the colon, such as "predict"; "" is none
	part string // "metadata", or ""
}

// parseAddress reads MODEL[/versions/N|/labels/L][/metadata][:VERB], the
// syntax of TensorFlow Serving's paths below /v1/models/.
func parseAddress(path string) (address, error) {
	var a address
	path, a.verb, _ = strings.Cut(path, ":")
	segments := strings.Split(path, "/")
	a.ref.Model, segments = segments[0], segments[1:]
	if a.ref.Model == "" {
		return a, fmt.Errorf("the path has no model")
	}
	if len(segments) >= 2 {
		switch segments[0] {
		case "versions":
			v, err := strconv.Atoi(segments[1])
			if err != nil || v < 1 {
				return a, fmt.Errorf("version %q is not a positive number", segments[1])
			}
			a.ref.Version, segments = v, segments[2:]
		case "labels":
			if segments[1] == "" {
				return a, fmt.Errorf("the path has no label")
			}
			a.ref.Alias, segments = segments[1], segments[2:]
		}
	}
	if len(segments) == 1 && segments[0] == "metadata" {
		a.part, segments = "metadata", nil
	}
	if len(segments) > 0 {
		return a, fmt.Errorf("%q is not a path of the model API", "/"+strings.Join(segments, "/"))
	}
	return a, nil
}
