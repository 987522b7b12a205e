package architectures

import (
	"fmt"
	"io"
	"strconv"

	"tkit/internal/present"
)

// WriteText writes the summary for a person, with a line for each endpoint.
func (s Summary) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n%s\n\n", s.Name, s.Title, s.Citation)
	rows := [][]string{{"input", "", Shape(s.Input[:]).String(), ""}}
	for _, e := range s.Endpoints {
		name := e.Name
		if e.Auxiliary {
			name += " (training only)"
		}
		rows = append(rows, []string{name, e.Operation, e.Output.String(), present.Count(e.Trainable)})
	}
	rows = append(rows, []string{"total", "", "", present.Count(s.Trainable)})
	err := present.Table(w, []string{"endpoint", "operation", "output", "parameters"}, rows)
	if err == nil && s.Statistics > 0 {
		fmt.Fprintf(w, "and %s running statistics of batch normalisation\n", present.Count(s.Statistics))
	}
	return err
}

// SummaryHeader names the cells of a [Summary.Row].
var SummaryHeader = []string{"name", "input", "classes", "parameters", "title"}

// Row returns the summary as the cells of a table.
func (s Summary) Row() []string {
	return []string{s.Name, Shape(s.Input[:]).String(), strconv.Itoa(s.Classes), present.Count(s.Trainable), s.Title}
}
