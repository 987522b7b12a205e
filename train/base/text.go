package base

import (
	"fmt"
	"io"
	"strings"

	"tkit/internal/present"
	"tkit/registry"
)

// Header names the columns of Row.
var Header = []string{"base", "weights", "input", "labels", "size", "licence", "digest", "imported"}

// Row is a base's row in a table of all bases.
func Row(m *registry.BaseManifest) []string {
	return []string{
		m.Name, weights(m), input(m), present.OrDash(count(m.Labels)), present.Bytes(m.Network.Size), present.OrDash(m.Licence),
		m.Network.Digest.Short(), present.Time(m.Created),
	}
}

func weights(m *registry.BaseManifest) string {
	if m.Random {
		return Random
	}
	return Pretrained
}

func input(m *registry.BaseManifest) string {
	h, w, c := m.Preprocessing.Shape()
	return fmt.Sprintf("%d×%d×%d", h, w, c)
}

func count(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	return present.Count(len(labels))
}

// shownLabels bounds the labels of a base that are shown as text.
const shownLabels = 10

// WriteText writes what a base is as text, for a terminal.
func WriteText(w io.Writer, m *registry.BaseManifest) error {
	labels := "unknown"
	if n := len(m.Labels); n > 0 {
		labels = present.Count(n) + ": " + strings.Join(m.Labels[:min(n, shownLabels)], ", ")
		if n > shownLabels {
			labels += ", …"
		}
	}
	lines := [][2]string{
		{"base", m.Name}, {"digest", string(m.Network.Digest)}, {"size", present.Bytes(m.Network.Size)},
		{"weights", weights(m)}, {"architecture", m.Architecture}, {"names", m.Scheme},
		{"licence", present.OrDash(m.Licence)}, {"source", present.OrDash(m.Source)},
		{"preprocessing", m.Preprocessing.String()}, {"labels", labels},
	}
	for _, p := range m.Signature.Inputs {
		lines = append(lines, [2]string{"input", fmt.Sprintf("%s %s %v", p.Name, p.DataType, p.Shape)})
	}
	for _, p := range m.Signature.Outputs {
		lines = append(lines, [2]string{"output", fmt.Sprintf("%s %s %v", p.Name, p.DataType, p.Shape)})
	}
	lines = append(lines, [2]string{"imported", present.Time(m.Created)})
	if m.Random {
		lines = append(lines, [2]string{"warning", registry.RandomWarning})
	}
	return present.Pairs(w, lines)
}

// WriteText writes what Check found as a sentence.
func (c Checked) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s is as it was imported (%s) and computes: %s outputs for an image, %.0f ms\n",
		c.Base, c.Digest, present.Count(c.Outputs), c.Milliseconds)
	return err
}
