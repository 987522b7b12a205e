package reportpage

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"tkit/datasets"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{.}}` + "\u202ejpg"

// snapshot returns a snapshot of n images in classes of the given names.
func snapshot(t *testing.T, n int, labels ...string) *datasets.Snapshot {
	t.Helper()
	var entries []datasets.Entry
	for i := range n {
		key := fmt.Sprintf("%06d", i)
		entries = append(entries, datasets.Entry{Key: key, Label: labels[i%len(labels)], Size: 1 << 30, SHA256: sha256.Sum256([]byte(key))})
	}
	s, err := datasets.NewSnapshot("file:///"+hostile, entries)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t *testing.T, p *Page) string {
	t.Helper()
	p.Made, p.By = time.Unix(0, 0), "test"
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, never := range []string{"<script", "onerror=alert(1)>'", "\u202e", "http:", "https:", "ZgotmplZ", "<no value>"} {
		if strings.Contains(out, never) {
			t.Errorf("the page has %q", never)
		}
	}
	// Every image is embedded, and every element comes from the template.
	for _, tag := range regexp.MustCompile(`<img [^>]*>`).FindAllString(out, -1) {
		if !strings.HasPrefix(tag, `<img src="data:image/jpeg;base64,`) {
			t.Errorf("%s", tag)
		}
	}
	return out
}

// everything is a report with every kind of finding, with hostile names.
func everything(t *testing.T) *Page {
	s := snapshot(t, 40, hostile, "b")
	return &Page{Name: hostile, Snapshot: s, Report: &datasets.Report{
		URI: s.URI, Digest: s.Digest, Examples: 1_234_567, Bytes: 1 << 50, Imbalance: 12345.6,
		Classes: []datasets.ClassCount{{Label: hostile, Examples: 1_234_560, Quarantined: 3, Train: 1_000_000, Test: 234_560}, {Label: "b", Examples: 7, Train: 7}},
		Sizes: &datasets.Sizes{Formats: []datasets.FormatCount{{Format: "jpeg", Images: 1_234_567}}, Small: 12, Elongated: 1,
			Bytes: datasets.Spread{Largest: datasets.Measured{Key: hostile, Bytes: 1 << 40}}},
		Sides: &datasets.Sides{Train: 1_000_007, Test: 234_560},
		Near: &datasets.NearDuplicates{Compared: 1 << 20, Left: 99, Incomplete: true, Plain: []string{hostile}, Groups: []datasets.NearGroup{
			{Leak: true, Images: []datasets.NearImage{{Key: "000001", Label: hostile, Side: "train"}, {Key: hostile, Label: "b", Side: "test", Distance: 3, Copies: 2}}}}},
		Quarantined: []datasets.Quarantined{{Key: hostile, Label: hostile, Reason: datasets.Corrupt, Detail: hostile}},
		Misnamed:    []datasets.Misnamed{{Key: hostile, Extension: hostile, Format: "png"}},
		Duplicates:  [][]string{{hostile, "000002"}},
		Conflicts:   [][]string{{hostile, "x"}},
	}}
}

func TestHostileNames(t *testing.T) {
	p := everything(t)
	p.Thumbnails = map[string][]byte{}
	for key := range p.Wanted() {
		p.Thumbnails[key] = []byte("\xff\xd8" + key)
	}
	out := written(t, p)
	for _, want := range []string{"leak", "labels differ", "3 of 64 bits differ", "and 2 with the same bytes", "1\u202f234\u202f567", "12\u202f346×",
		"same bytes", "1.1 PB", "of the other 99 are not found", "anyone with the file can see them", "Samples"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// Without thumbnails the page has only text.
func TestWithoutThumbnails(t *testing.T) {
	out := written(t, everything(t))
	if strings.Contains(out, "<img") || strings.Contains(out, "Samples") || strings.Contains(out, "anyone with the file") || !strings.Contains(out, "no picture") {
		t.Error("the page promises pictures")
	}
}

func TestNothingToShow(t *testing.T) {
	out := written(t, &Page{Name: "empty", Report: &datasets.Report{URI: "file:///empty"}})
	if !strings.Contains(out, "No image can be used") || strings.Contains(out, "NaN") {
		t.Error(out)
	}
	s := snapshot(t, 3, "only")
	r := &datasets.Report{URI: s.URI, Digest: s.Digest, Examples: 3, Classes: []datasets.ClassCount{{Label: "only", Examples: 3}}, Imbalance: 1}
	if _, err := r.Divide(s, datasets.Fractions{Test: .2}); err == nil {
		t.Fatal("one class can be split")
	}
	if out := written(t, &Page{Name: "one", Report: r, Snapshot: s}); !strings.Contains(out, "it cannot be split") || strings.Contains(out, "<h2>Split") {
		t.Error(out)
	}
}

// The page is bounded however large the dataset is.
func TestLarge(t *testing.T) {
	labels := make([]string, 2000)
	for i := range labels {
		labels[i] = fmt.Sprintf("species %04d", i)
	}
	s := snapshot(t, 20_000, labels...)
	r := &datasets.Report{URI: s.URI, Digest: s.Digest, Examples: len(s.Entries), Near: &datasets.NearDuplicates{}}
	for _, l := range labels {
		r.Classes = append(r.Classes, datasets.ClassCount{Label: l, Examples: 10})
	}
	for i := range 5000 {
		key := fmt.Sprintf("%06d", i)
		r.Quarantined = append(r.Quarantined, datasets.Quarantined{Key: key, Reason: datasets.Empty})
		r.Duplicates = append(r.Duplicates, []string{key, key})
		r.Conflicts = append(r.Conflicts, []string{key, key})
		r.Near.Plain = append(r.Near.Plain, key)
		g := datasets.NearGroup{}
		for k := range 50 {
			g.Images = append(g.Images, datasets.NearImage{Key: fmt.Sprintf("%06d", (i+k*100)%20_000)})
		}
		r.Near.Groups = append(r.Near.Groups, g)
	}
	p := &Page{Name: "large", Report: r, Snapshot: s}
	if n := len(p.Wanted()); n > 800 || n < 400 {
		t.Errorf("%d thumbnails", n)
	}
	out := written(t, p)
	if len(out) > 500_000 || !strings.Contains(out, "and 4\u202f940 more") || !strings.Contains(out, "300 smallest of 2\u202f000") {
		t.Errorf("%d bytes", len(out))
	}
}

// Samples are spread over their class.
func TestSamples(t *testing.T) {
	p := &Page{Snapshot: snapshot(t, 1000, "a", "b"), Report: &datasets.Report{Classes: []datasets.ClassCount{{Label: "a", Examples: 500}, {Label: "b", Examples: 500}}}}
	for _, s := range p.sampled() {
		if len(s.keys) != samples || s.keys[0] > "000001" || s.keys[samples-1] < "000900" || s.keys[samples-1] > "000999" {
			t.Errorf("%s: %v", s.label, s.keys)
		}
	}
	p = &Page{Snapshot: snapshot(t, 6, "a", "b"), Report: &datasets.Report{Classes: []datasets.ClassCount{{Label: "a", Examples: 3}, {Label: "b", Examples: 3}}}}
	if got := p.sampled(); len(got) != 2 || len(got[0].keys) != 3 {
		t.Errorf("%v", got)
	}
}
