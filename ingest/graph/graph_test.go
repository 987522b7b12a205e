package graph

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const pipeline = `
name: flowers
input:
  broker:
    inputs:
      - tkit_directory: {path: scanner-1}
      - label: second
        tkit_directory: {path: scanner-2}
pipeline:
  processors:
    - tkit_classify: {models: [flowers, herbs@2]}
    - try:
        - mutation: |
            meta kind = "plant"
            meta more = 1
    - switch:
        - check: '@tkit_probability < 0.5'
          processors: [{log: {message: unsure}}]
output:
  broker:
    outputs:
      - tkit_folder: {path: classified}
      - fallback:
          - http_client: {url: "https://index.example.com"}
          - tkit_folder: {path: "<later>"}
`

func parsed(t testing.TB, text string) *Graph {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return New(document.Content[0])
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := parsed(t, pipeline).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `tkit_directory: scanner-1
└─ tkit_classify: flowers, herbs@2
   └─ try
      └─ mutation: meta kind = "plant" …
         └─ switch
            ├─ [@tkit_probability < 0.5] log
            │  ├─ tkit_folder: classified
            │  ├─ http_client: https://index.example.com
            │  └─ [after a failure] tkit_folder: <later>
            ├─ tkit_folder: classified (see above)
            ├─ http_client: https://index.example.com (see above)
            └─ [after a failure] tkit_folder: <later> (see above)
second (tkit_directory): scanner-2
└─ tkit_classify: flowers, herbs@2 (see above)
`
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPaths(t *testing.T) {
	g := parsed(t, pipeline)
	var paths []string
	for _, n := range g.Nodes {
		paths = append(paths, n.Path)
	}
	want := []string{
		"root.input.broker.inputs.0", "root.input.broker.inputs.1", "root.pipeline.processors.0", "root.pipeline.processors.1",
		"root.pipeline.processors.1.try.0", "root.pipeline.processors.2", "root.pipeline.processors.2.switch.0.processors.0",
		"root.output.broker.outputs.0", "root.output.broker.outputs.1.fallback.0", "root.output.broker.outputs.1.fallback.1",
	}
	if got, want := strings.Join(paths, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, e := range g.Edges {
		if e.From >= e.To {
			t.Errorf("the edge %+v leads back", e)
		}
	}
}

// The picture is well-formed, and shows texts of the file as text.
func TestSVG(t *testing.T) {
	var b strings.Builder
	if err := parsed(t, pipeline).WriteSVG(&b, map[string]string{"root.pipeline.processors.0": "12 images"}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, b.String())
		}
		if data, is := token.(xml.CharData); is {
			texts = append(texts, string(data))
		}
	}
	for _, want := range []string{"tkit_classify", "12 images", "<later>"} {
		if !strings.Contains(strings.Join(texts, "\n"), want) {
			t.Errorf("the picture does not have %q", want)
		}
	}
}

func TestDOT(t *testing.T) {
	var b strings.Builder
	if err := parsed(t, "name: a\ninput: {tkit_directory: {path: 'in\"'}}\noutput: {drop: {}}\n").WriteDOT(&b); err != nil {
		t.Fatal(err)
	}
	want := "digraph \"a\" {\n\trankdir=LR;\n\tnode [shape=box, fontname=\"sans-serif\"];\n" +
		"\tn0 [label=\"tkit_directory\\nin\\\"\"];\n\tn1 [label=\"drop\"];\n\tn0 -> n1;\n}\n"
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), want)
	}
}
