package versionpage

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tkit/internal/present"
	"tkit/registry"
)

// ModelHeader is the header of the rows that ModelRow returns.
var ModelHeader = []string{"model", "newest", "production", "other aliases", "created"}

// ModelRow returns the row of a model in a table of models.
func ModelRow(m registry.Model) []string {
	production, others := "-", []string{}
	for _, a := range m.Aliases {
		if a.Name == registry.Production {
			production = strconv.Itoa(a.Version)
		} else {
			others = append(others, fmt.Sprintf("%s=%d", a.Name, a.Version))
		}
	}
	newest := "-" // of a model whose versions were all deleted
	if m.Latest > 0 {
		newest = strconv.Itoa(m.Latest)
	}
	return []string{m.Name, newest, production, present.OrDash(strings.Join(others, " ")), present.Time(m.Created)}
}

// WriteVersions writes a table of versions, the newest first.
func WriteVersions(w io.Writer, versions []registry.Version) error {
	var rows [][]string
	for _, v := range slices.Backward(versions) {
		m := v.Manifest
		accuracy := "-"
		if m.Metrics != nil {
			a := m.Metrics.Accuracy
			accuracy = fmt.Sprintf("%.4f (%.4f to %.4f)", a.Value, a.Low, a.High)
		}
		labels, trunk := "-", "-" // of a version about which nothing else is shown
		if len(m.Labels) > 0 {
			labels, trunk = strconv.Itoa(len(m.Labels)), m.Trunk.Digest.Short()
		}
		description := m.Description
		if d := v.Deleted; d != nil {
			description = fmt.Sprintf("deleted %s by %s%s", present.Time(d.At), d.Actor, present.Prefixed(": ", d.Reason))
		}
		rows = append(rows, []string{
			m.Ref().String(), present.OrDash(strings.Join(v.Aliases, " ")), accuracy, labels, trunk, present.Time(m.Created), description,
		})
	}
	return present.Table(w, []string{"version", "aliases", "accuracy", "labels", "trunk", "created", "description"}, rows)
}

// EventHeader is the header of the rows that EventRow returns.
var EventHeader = []string{"time", "who", "did", "model", "what", "why"}

// EventRow returns the row of a change in a table of the history.
func EventRow(e registry.Event) []string {
	what := "version " + strconv.Itoa(e.Version)
	switch {
	case e.Action == registry.AliasRemoved:
		what = fmt.Sprintf("%s, was %d", e.Alias, e.Previous)
	case e.Previous != 0:
		what = fmt.Sprintf("%s %d → %d", e.Alias, e.Previous, e.Version)
	case e.Alias != "":
		what = fmt.Sprintf("%s → %d", e.Alias, e.Version)
	}
	return []string{present.Time(e.At), e.Actor, string(e.Action), e.Model, what, e.Reason}
}
