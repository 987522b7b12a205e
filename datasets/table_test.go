package datasets_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

func table(t *testing.T, r *datasets.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	src := of()
	add := func(key string, b []byte) { src.files = append(src.files, memoryFile{key: key, bytes: b}) }
	for i := range 10 {
		add(fmt.Sprintf("cat/%02d.png", i), sourcetest.Picture(i))
	}
	add("cat/same.jpg", sourcetest.Picture(1))
	add("cat/\x1b[31mred.png", nil)
	add("dog/00.png", sourcetest.Picture(20))
	add("dog/01.png", sourcetest.Picture(2))
	for i := range 12 {
		add(fmt.Sprintf("猫/%02d.png", i), nil)
	}
	// The source must list in order, and the escape sorts before digits.
	src.sort()
	_, r := take(t, src)
	want, err := os.ReadFile("testdata/report.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := table(t, r); got != string(want) {
		t.Errorf("got:\n%s\nwant testdata/report.txt:\n%s", got, want)
	}
}

// With very many classes the table shows the rarest.
func TestTableOfManyClasses(t *testing.T) {
	r := &datasets.Report{}
	for i := range 100 {
		r.Classes = append(r.Classes, datasets.ClassCount{Label: fmt.Sprintf("class%02d", i), Examples: 100 - i})
	}
	got := table(t, r)
	if strings.Contains(got, "class59") || !strings.Contains(got, "class60") || !strings.Contains(got, "the 40 smallest of 100 classes") {
		t.Error(got)
	}
	if err := r.Table(full{}); err == nil {
		t.Error("a writer that fails is not noticed")
	}
}

func TestReportJSON(t *testing.T) {
	_, r := take(t, of(
		memoryFile{key: "a/1.gif", bytes: sourcetest.Picture(1)},
		memoryFile{key: "a/2.png", bytes: sourcetest.Picture(2)},
		memoryFile{key: "b/1.png", bytes: sourcetest.Picture(2)},
		memoryFile{key: "b/2.png", bytes: sourcetest.Picture(3)},
		memoryFile{key: "b/3.png", bytes: sourcetest.Picture(3)},
	))
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"uri":"memory://test","digest":"` + r.Digest + `","examples":3,"bytes":` + fmt.Sprint(r.Bytes) + `,` +
		`"classes":[{"label":"a","examples":1,"quarantined":1},{"label":"b","examples":2,"quarantined":1}],"imbalance":2,` +
		`"sizes":{"formats":[{"format":"png","images":5}],` +
		`"bytes":{"smallest":{"key":"a/1.gif","bytes":74,"width":3,"height":2},"median":{"bytes":74},"largest":{"key":"a/1.gif","bytes":74,"width":3,"height":2}},` +
		`"pixels":{"smallest":{"key":"a/1.gif","bytes":74,"width":3,"height":2},"median":{"width":3,"height":2},"largest":{"key":"a/1.gif","bytes":74,"width":3,"height":2}},"small":5},"details":{"images":5},` +
		`"quarantined":[{"key":"a/2.png","label":"a","reason":"conflict","detail":"the same bytes are b/1.png, labelled b"},` +
		`{"key":"b/1.png","label":"b","reason":"conflict","detail":"the same bytes are a/2.png, labelled a"}],` +
		`"misnamed":[{"key":"a/1.gif","extension":".gif","format":"png"}],` +
		`"duplicates":[["b/2.png","b/3.png"]],"conflicts":[["a/2.png","b/1.png"]]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}
