package versionpage

import (
	"fmt"
	"io"
	"maps"
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

// number is the text of a version, "" for none.
func number(version int) string {
	if version == 0 {
		return ""
	}
	return strconv.Itoa(version)
}

// BindingHeader is the header of the rows that BindingRow returns.
var BindingHeader = []string{"application", "model", "gets", "since", "who", "why"}

// BindingRow returns the row of a binding in a table of bindings.
func BindingRow(b registry.Binding) []string {
	return []string{b.Application, b.Model, b.Alias + present.Prefixed("version ", number(b.Version)), present.Time(b.Since), b.Actor, b.Reason}
}

// WriteProperties writes what may change about a model or a version.
func WriteProperties(w io.Writer, p registry.Properties) error {
	rows := [][]string{{"description", present.OrDash(p.Description)}}
	if p.State != "" {
		rows = append(rows, []string{"state", string(p.State)})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tags)) {
		rows = append(rows, []string{"tag " + name, p.Tags[name]})
	}
	return present.Table(w, []string{"property", "value"}, rows)
}

// WriteAssignments writes what a model's aliases and applications had at a time.
func WriteAssignments(w io.Writer, s registry.Assignments) error {
	var rows [][]string
	for _, a := range s.Aliases {
		rows = append(rows, []string{"alias " + a.Name, "version " + strconv.Itoa(a.Version), present.Time(a.Since), a.Actor, a.Reason})
	}
	for _, b := range s.Bindings {
		row := BindingRow(b)
		rows = append(rows, append([]string{"application " + b.Application}, row[2:]...))
	}
	return present.Table(w, []string{"what", "had", "since", "who", "why"}, rows)
}

// EventHeader is the header of the rows that EventRow returns.
var EventHeader = []string{"time", "who", "did", "model", "what", "why"}

// EventRow returns the row of a change in a table of the history.
func EventRow(e registry.Event) []string {
	what := "version " + strconv.Itoa(e.Version)
	switch {
	case e.Action == registry.Changed:
		if what = e.Detail; e.Version != 0 {
			what = fmt.Sprintf("version %d: %s", e.Version, e.Detail)
		}
	case e.Application != "":
		what = e.Application
		if e.Action == registry.Bound {
			what = fmt.Sprintf("%s → %s%s", e.Application, e.Alias, present.Prefixed("version ", number(e.Version)))
		}
	case e.Action == registry.AliasRemoved:
		what = fmt.Sprintf("%s, was %d", e.Alias, e.Previous)
	case e.Previous != 0:
		what = fmt.Sprintf("%s %d → %d", e.Alias, e.Previous, e.Version)
	case e.Alias != "":
		what = fmt.Sprintf("%s → %d", e.Alias, e.Version)
	}
	return []string{present.Time(e.At), e.Actor, string(e.Action), e.Model, what, e.Reason}
}
