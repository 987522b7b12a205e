package versionpage

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
)

// WriteText writes the description of a version as text, for a terminal.
func WriteText(w io.Writer, v registry.Version) error {
	if err := present.Pairs(w, properties(v)); err != nil || v.Manifest.Metrics == nil {
		return err
	}
	fmt.Fprintln(w)
	return v.Manifest.Metrics.WriteText(w)
}

// WriteRegistered writes the evaluation of a version that was just registered, and what
// it is.
func WriteRegistered(w io.Writer, m *registry.Manifest) error {
	if m.Metrics != nil {
		if err := m.Metrics.WriteText(w); err != nil {
			return err
		}
	}
	if b := m.Lineage.Base; b != nil && b.Random {
		fmt.Fprintln(w)
		_ = present.Labelled(w, present.Yellow, "warning", registry.RandomWarning)
	}
	_, err := printable.Fprintf(w, "\nregistered %s, cut at %s%s\n", m.Ref(), m.Cut.Endpoint, present.Prefixed(":", m.Cut.Pool))
	return err
}

// properties are the lines about a version, by name. An empty value is left out.
func properties(v registry.Version) [][2]string {
	var lines [][2]string
	line := func(name, format string, values ...any) {
		lines = append(lines, [2]string{name, fmt.Sprintf(format, values...)})
	}
	m := v.Manifest
	line("version", "%s", m.Ref())
	line("aliases", "%s", present.OrDash(strings.Join(v.Aliases, " ")))
	line("description", "%s", m.Description)
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
		if b.Random {
			line("warning", "%s", registry.RandomWarning)
		}
	}
	for _, s := range m.Lineage.Snapshots {
		line("data", "%s  %d examples  %s", s.URI, s.Entries, s.Digest)
	}
	line("code", "%s, seed %d", present.OrDash(m.Lineage.Code), m.Lineage.Seed)
	line("command", "%s", strings.Join(m.Lineage.Command, " "))
	for _, name := range slices.Sorted(maps.Keys(m.Lineage.Parameters)) {
		line("parameter", "%s = %s", name, m.Lineage.Parameters[name])
	}
	return lines
}
