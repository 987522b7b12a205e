package server

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tkit/inference"
	"tkit/internal/present"
)

// WriteText writes a line for each address; secured is whether clients use TLS.
func (a Addresses) WriteText(w io.Writer, secured bool) {
	scheme := map[bool]string{false: "http", true: "https"}[secured]
	if a.HTTP != "" {
		fmt.Fprintf(w, "HTTP  %s://%s\n", scheme, a.HTTP)
	}
	if a.GRPC != "" {
		fmt.Fprintf(w, "gRPC  %s\n", a.GRPC)
	}
}

// WriteModels writes a table of the loaded versions.
func WriteModels(w io.Writer, models []inference.ModelStatus) {
	if len(models) == 0 {
		fmt.Fprintln(w, "No model is in production yet; put one there with `tkit registry promote`.")
		return
	}
	var rows [][]string
	for _, m := range models {
		for _, v := range m.Versions {
			var labels []string
			for _, l := range slices.Sorted(maps.Keys(m.Labels)) {
				if m.Labels[l] == v.Version {
					labels = append(labels, l)
				}
			}
			rows = append(rows, []string{m.Model, strconv.Itoa(v.Version), strings.Join(labels, ", "), strings.ToLower(v.State.String())})
		}
	}
	present.Table(w, []string{"model", "version", "labels", "state"}, rows)
}
