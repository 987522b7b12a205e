package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tkit/internal/printable"
	"tkit/registry"
)

func printModelList(w io.Writer, models []registry.Model) error {
	var rows [][]string
	for _, m := range models {
		production, others := "-", []string{}
		for _, a := range m.Aliases {
			if a.Name == registry.Production {
				production = strconv.Itoa(a.Version)
			} else {
				others = append(others, fmt.Sprintf("%s=%d", a.Name, a.Version))
			}
		}
		rows = append(rows, []string{m.Name, strconv.Itoa(m.Latest), production, orDash(strings.Join(others, " ")), moment(m.Created)})
	}
	return printTable(w, []string{"model", "newest", "production", "other aliases", "created"}, rows)
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
			m.Ref().String(), orDash(strings.Join(v.Aliases, " ")), accuracy, labels, trunk, moment(m.Created), m.Description,
		})
	}
	return printTable(w, []string{"version", "aliases", "accuracy", "labels", "trunk", "created", "description"}, rows)
}

func printHistory(w io.Writer, events []registry.Event) error {
	if len(events) == 0 {
		_, err := fmt.Fprintln(w, emptyRegistry)
		return err
	}
	var rows [][]string
	for _, e := range events {
		what := "version " + strconv.Itoa(e.Version)
		switch {
		case e.Action == registry.AliasRemoved:
			what = fmt.Sprintf("%s, was %d", e.Alias, e.Previous)
		case e.Previous != 0:
			what = fmt.Sprintf("%s %d → %d", e.Alias, e.Previous, e.Version)
		case e.Alias != "":
			what = fmt.Sprintf("%s → %d", e.Alias, e.Version)
		}
		rows = append(rows, []string{moment(e.At), e.Actor, string(e.Action), e.Model, what, e.Reason})
	}
	return printTable(w, []string{"time", "who", "did", "model", "what", "why"}, rows)
}

func printVersion(w io.Writer, v registry.Version) error {
	m := v.Manifest
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, values ...any) {
		printable.Fprintf(t, "%s\t%s\n", name, printable.Text(fmt.Sprintf(format, values...)))
	}
	line("version", "%s", m.Ref())
	line("aliases", "%s", orDash(strings.Join(v.Aliases, " ")))
	if m.Description != "" {
		line("description", "%s", m.Description)
	}
	line("created", "%s", moment(m.Created))
	line("digest", "%s", v.Digest)
	line("trunk", "%s  %s", m.Trunk.Digest, bytesText(m.Trunk.Size))
	line("cut", "%s%s", orDash(m.Cut.Endpoint), prefixed(", pooled: ", m.Cut.Pool))
	line("head", "%s  %s", m.Head.Digest, bytesText(m.Head.Size))
	for _, name := range slices.Sorted(maps.Keys(m.Attachments)) {
		line("attached", "%s  %s  %s", name, m.Attachments[name].Digest, bytesText(m.Attachments[name].Size))
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
		line("base", "%s  %s%s", b.Name, b.Digest, prefixed("  ", b.Version))
	}
	for _, s := range m.Lineage.Snapshots {
		line("data", "%s  %d examples  %s", s.URI, s.Entries, s.Digest)
	}
	line("code", "%s, seed %d", orDash(m.Lineage.Code), m.Lineage.Seed)
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

// moment writes a time for people, in their own zone.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// prefixed is s behind a prefix, or nothing where there is nothing.
func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// bytesText writes a size in decimal units.
func bytesText(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}
