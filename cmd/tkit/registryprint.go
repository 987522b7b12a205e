package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
)

func modelRow(m registry.Model) []string {
	production, others := "-", []string{}
	for _, a := range m.Aliases {
		if a.Name == registry.Production {
			production = strconv.Itoa(a.Version)
		} else {
			others = append(others, fmt.Sprintf("%s=%d", a.Name, a.Version))
		}
	}
	return []string{m.Name, strconv.Itoa(m.Latest), production, present.OrDash(strings.Join(others, " ")), present.Time(m.Created)}
}

func printVersions(w io.Writer, versions []registry.Version) error {
	var rows [][]string
	for _, v := range slices.Backward(versions) {
		m := v.Manifest
		accuracy := "-"
		if m.Metrics != nil {
			a := m.Metrics.Accuracy
			accuracy = fmt.Sprintf("%.4f (%.4f to %.4f)", a.Value, a.Low, a.High)
		}
		labels, trunk := "-", "-" // of a version of which no more is told
		if len(m.Labels) > 0 {
			labels, trunk = strconv.Itoa(len(m.Labels)), m.Trunk.Digest.Short()
		}
		rows = append(rows, []string{
			m.Ref().String(), present.OrDash(strings.Join(v.Aliases, " ")), accuracy, labels, trunk, present.Time(m.Created), m.Description,
		})
	}
	return present.Table(w, []string{"version", "aliases", "accuracy", "labels", "trunk", "created", "description"}, rows)
}

func eventRow(e registry.Event) []string {
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

func printVersion(w io.Writer, v registry.Version) error {
	m := v.Manifest
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, values ...any) {
		printable.Fprintf(t, "%s\t%s\n", name, printable.Text(fmt.Sprintf(format, values...)))
	}
	line("version", "%s", m.Ref())
	line("aliases", "%s", present.OrDash(strings.Join(v.Aliases, " ")))
	if m.Description != "" {
		line("description", "%s", m.Description)
	}
	line("created", "%s", present.Time(m.Created))
	line("digest", "%s", v.Digest)
	line("trunk", "%s  %s", m.Trunk.Digest, present.Bytes(m.Trunk.Size))
	line("cut", "%s%s", present.OrDash(m.Cut.Endpoint), present.Prefixed(", pooled: ", m.Cut.Pool))
	line("head", "%s  %s", m.Head.Digest, present.Bytes(m.Head.Size))
	for _, name := range slices.Sorted(maps.Keys(m.Attachments)) {
		line("attached", "%s  %s  %s", name, m.Attachments[name].Digest, present.Bytes(m.Attachments[name].Size))
	}
	line("labels", "%d: %s", len(m.Labels), strings.Join(m.Labels, ", "))
	line("preprocessing", "%s", m.Preprocessing)
	for _, p := range m.Signature.Inputs {
		line("input", "%s %s %v", p.Name, p.DataType, p.Shape)
	}
	for _, p := range m.Signature.Outputs {
		line("output", "%s %s %v", p.Name, p.DataType, p.Shape)
	}
	if b := m.Lineage.Base; b != nil {
		line("base", "%s  %s%s", b.Name, b.Digest, present.Prefixed("  ", b.Version))
	}
	for _, s := range m.Lineage.Snapshots {
		line("data", "%s  %d examples  %s", s.URI, s.Entries, s.Digest)
	}
	line("code", "%s, seed %d", present.OrDash(m.Lineage.Code), m.Lineage.Seed)
	if len(m.Lineage.Command) > 0 {
		line("command", "%s", strings.Join(m.Lineage.Command, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Lineage.Parameters)) {
		line("parameter", "%s = %s", name, m.Lineage.Parameters[name])
	}
	if err := t.Flush(); err != nil || m.Metrics == nil {
		return err
	}
	fmt.Fprintln(w)
	return m.Metrics.WriteText(w)
}
