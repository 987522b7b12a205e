package versionpage

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tkit/internal/evaluation"
	"tkit/registry"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{.}}` + "\u202e"

func written(t *testing.T, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, never := range []string{"<script", "<img", "\u202e", "http:", "https:", "ZgotmplZ", "<no value>", "NaN"} {
		if strings.Contains(out, never) {
			t.Errorf("the page has %q", never)
		}
	}
	return out
}

// evaluated is the evaluation of n images of k classes, of which every fifth is
// predicted as the next class.
func evaluated(t *testing.T, n, k int) *evaluation.Evaluation {
	t.Helper()
	p := evaluation.Predictions{Logits: make([]float32, n*k)}
	for c := range k {
		p.Labels = append(p.Labels, fmt.Sprintf("%s %d", hostile, c))
	}
	for i := range n {
		said := i % k
		if i%5 == 4 {
			said = (said + 1) % k
		}
		p.Truth = append(p.Truth, i%k)
		p.Logits[i*k+said] = 1 + float32(i%7)
	}
	e, err := evaluation.Evaluate(p, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTablesOfDeletedVersions(t *testing.T) {
	if row := ModelRow(registry.Model{Name: "flowers", Deleted: []int{1, 2}}); row[1] != "-" {
		t.Errorf("the newest version of a model without any is %q", row[1])
	}
	deletion := &registry.Deletion{Change: registry.Change{Actor: "ann", Reason: "wrong labels"}}
	var b bytes.Buffer
	if err := WriteVersions(&b, []registry.Version{{Manifest: &registry.Manifest{Model: "flowers", Version: 1}, Deleted: deletion}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "flowers@1") || !strings.Contains(b.String(), "by ann: wrong labels") {
		t.Errorf("a deleted version is listed as\n%s", &b)
	}
	if row := EventRow(registry.Event{Action: registry.Deleted, Model: "flowers", Version: 1}); row[2] != "delete" || row[4] != "version 1" {
		t.Errorf("its deletion is listed as %q", row)
	}
}

func TestVersion(t *testing.T) {
	m := &registry.Manifest{Model: "flowers", Version: 7, Description: hostile, Labels: []string{hostile, "b"}, Metrics: evaluated(t, 100, 3),
		Lineage: registry.Lineage{Base: &registry.Base{Name: hostile}, Command: []string{"tkit", hostile}, Parameters: map[string]string{hostile: hostile},
			Snapshots: []registry.SnapshotRef{{URI: "file:///" + hostile, Entries: 1234, Datasets: []string{"scans"}}}}}
	out := written(t, &Page{Version: registry.Version{Manifest: m, Aliases: []string{"production"}}, Restrictions: []string{"restricted by " + hostile}})
	for _, want := range []string{"flowers@7", "now production", "80.0 %", "95 % confidence", "the worst first", `class="matrix"`, `style="--shade:0.`,
		"<polyline", "restricted by", "scans: file:///", "1\u202f234 examples", "temperature 1.5"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(out, "the most frequent first") {
		t.Error("the pairs are there beside the matrix")
	}
}

func TestManyClasses(t *testing.T) {
	m := &registry.Manifest{Model: "large", Version: 1, Metrics: evaluated(t, 3000, 1000)}
	out := written(t, &Page{Version: registry.Version{Manifest: m}})
	for _, want := range []string{"the 500 worst of 1\u202f000", "the most frequent first", "more pairs", "Among the first five"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(out, `class="matrix"`) || len(out) > 1_000_000 {
		t.Errorf("%d bytes", len(out))
	}
}

func TestNotEvaluated(t *testing.T) {
	out := written(t, &Page{Version: registry.Version{Manifest: &registry.Manifest{Model: "m", Version: 1}}})
	if !strings.Contains(out, "was not evaluated") || strings.Contains(out, "Calibration") {
		t.Error(out)
	}
}
