package datasets_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

// told is a source that describes how it interprets names.
type told struct {
	*memory
	reading datasets.Reading
}

func (s told) Reading() datasets.Reading { return s.reading }

// keyed is a source of pictures with ascending keys; the label is the first
// folder of the path.
func keyed(r datasets.Reading, keys ...string) told {
	slices.Sort(keys)
	src := told{of(), r}
	for i, key := range keys {
		src.files = append(src.files, memoryFile{key: key, bytes: sourcetest.Picture(i)})
	}
	return src
}

func TestLayout(t *testing.T) {
	reading := datasets.Reading{Labels: "the folders", TakeSides: "add splits=folders", Deeper: "give FOLDER", Further: "add label=parent"}
	for name, c := range map[string]struct {
		keys []string
		text string   // in the table
		want []string // in the warnings, one each
	}{
		"plain":       {[]string{"cat/1", "dog/1"}, "read as: 2 classes from the folders\n", nil},
		"sides":       {[]string{"train/cat/1", "train/dog/1", "test/cat/1"}, "2 classes", []string{`"test", "train" look like sides of a split but are used as classes: if they are sides, add splits=folders`}},
		"spelt":       {[]string{"Training/cat/1", "hold-out/cat/1"}, "2 classes", []string{`"Training", "hold-out"`}},
		"vehicles":    {[]string{"train/1", "bus/1", "car/1"}, "3 classes", []string{`the class "train" has the name of a side of a split`}},
		"strips":      {[]string{"test strip/1", "swab/1"}, "2 classes", nil},
		"below":       {[]string{"cat/train/1", "cat/test/1", "dog/train/1"}, "with the folders below them, such as cat/test (add label=parent)", []string{`"test", "train" look like sides of a split but are not used as sides`}},
		"too high":    {[]string{"archive/Pets/cat/1", "archive/Pets/dog/1"}, "1 class", []string{"below the folder archive/Pets, so there is one class: if archive/Pets/cat, archive/Pets/dog are the classes, or sides of a split, give archive/Pets"}},
		"sides below": {[]string{"set/train/cat/1", "set/test/cat/1"}, "1 class", []string{`"test", "train" look like`, "below the folder set,"}},
		"repeated": {[]string{"Trainingsdaten/cat/1", "Trainingsdaten/dog/1", "Testdaten/cat/1", "Testdaten/dog/1"}, "2 classes",
			[]string{`folders with the same names, "cat", "dog", are below several classes, "Testdaten", "Trainingsdaten": add label=parent`}},
		"repeated further down": {[]string{"a/a/cat/1", "a/a/dog/1", "b/b/cat/1", "b/b/dog/1"}, "2 classes", []string{`"cat", "dog", are below several classes`}},
		"repeated once":         {[]string{"cat/indoors/1", "cat/outdoors/1", "dog/indoors/1"}, "2 classes", nil},
		"one class":             {[]string{"cat/1", "cat/2"}, "1 class", nil},
		"one chain":             {[]string{"a/b/1", "a/b/2"}, "1 class", nil},
		"classes in classes": {[]string{"animals/cat/1", "animals/dog/1", "plants/rose/1"},
			"2 classes from the folders, with the folders below them, such as animals/cat (add label=parent)\n", nil},
	} {
		_, r := take(t, keyed(reading, c.keys...))
		if got := table(t, r); !strings.Contains(got, c.text) {
			t.Errorf("%s: %q is not in\n%s", name, c.text, got)
		}
		if len(r.Layout.Warnings) != len(c.want) {
			t.Errorf("%s: warnings %q", name, r.Layout.Warnings)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(r.Layout.Warnings[i], want) {
				t.Errorf("%s: %q does not say %q", name, r.Layout.Warnings[i], want)
			}
		}
		if u := r.Unnamed().Layout; len(u.Warnings) > 0 || u.Further != "" {
			t.Errorf("%s: unnamed it tells %+v", name, u)
		}
	}
}

// Shards' names and the folders of their members are examined too.
func TestLayoutOfShards(t *testing.T) {
	reading := datasets.Reading{Labels: "the records", TakeSides: "add splits=names", Deeper: "pack FOLDER", Shards: true}
	src := keyed(reading, "pets-test-0.tar!000000000/cat.png", "pets-train-0.tar!000000000/cat.png")
	if _, r, _ := datasets.TakeSnapshot(t.Context(), labelled{src, "cat"}, datasets.SnapshotOptions{}); !strings.Contains(strings.Join(r.Warnings(), "|"), `"pets-test-0.tar", "pets-train-0.tar" look like sides of a split but are not used as sides: if they are sides, add splits=names`) {
		t.Errorf("warnings %q", r.Warnings())
	}
	src = keyed(reading, "x.tar!000000000/photos/cat/1.png", "x.tar!000000001/photos/dog/2.png")
	if _, r, _ := datasets.TakeSnapshot(t.Context(), labelled{src, "photos"}, datasets.SnapshotOptions{}); !strings.Contains(strings.Join(r.Warnings(), "|"), "photos/cat, photos/dog are the classes, or sides of a split, pack photos") {
		t.Errorf("warnings %q", r.Warnings())
	}
	src = keyed(reading, "pets-train-0.tar!000000000/cat.png", "pets-train-1.tar!000000000/cat.png")
	if _, r, _ := datasets.TakeSnapshot(t.Context(), labelled{src, "cat"}, datasets.SnapshotOptions{}); len(r.Warnings()) > 0 {
		t.Errorf("shards of one side: warnings %q", r.Warnings())
	}
}

// labelled gives every example of a source the same label.
type labelled struct {
	told
	label string
}

func (s labelled) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		for e, err := range s.told.Examples(ctx) {
			e.Label = s.label
			if !yield(e, err) {
				return
			}
		}
	}
}

func TestAlikeLabels(t *testing.T) {
	for _, c := range []struct{ labels, want string }{
		{"cat|dog|猫", ""},
		{"cat|Cat|CAT|dog", `"CAT", "Cat", "cat" differ only in capitals`},
		{"cat|cat ", `"cat", "cat " differ only in blanks`},
		{"hot dog|hot\u00a0dog|hot  dog|hotdog", `differ only in blanks`},
		{"cat|\ufeffcat|c\u200bat", `"cat", "c\u200bat", "\ufeffcat" differ only in blanks`},
		{"café|cafe\u0301", `"cafe\u0301", "caf\u00e9" differ only in their Unicode normal form`},
		{"ﬁsh|fish", `differ only in the form of their characters`},
		{"CAFÉ|cafe\u0301 ", `differ only in capitals, blanks or the form of their characters`},
		{"cafe|café|а|a", ""}, // a different letter is a different label
	} {
		r := new(datasets.Report)
		for _, label := range strings.Split(c.labels, "|") {
			r.Classes = append(r.Classes, datasets.ClassCount{Label: label, Examples: 1})
		}
		got := r.Warnings()
		if want := c.want != ""; (len(got) == 1) != want || want && !strings.Contains(got[0], c.want) {
			t.Errorf("%q: %q", c.labels, got)
		}
	}
	r := new(datasets.Report)
	for i := range 30 {
		r.Classes = append(r.Classes, datasets.ClassCount{Label: fmt.Sprint("a", i), Examples: 1}, datasets.ClassCount{Label: fmt.Sprint("A", i), Examples: 1})
	}
	if got := r.Warnings(); len(got) != 11 || !strings.Contains(got[10], "20 more groups of labels") {
		t.Errorf("30 groups: %d warnings, %q", len(got), got[len(got)-1])
	}
}

// A label without visible characters counts as missing.
func TestBlankLabels(t *testing.T) {
	for _, label := range []string{" ", "\u00a0", "\u200b\t", ""} {
		_, r, err := datasets.TakeSnapshot(t.Context(), labelled{keyed(datasets.Reading{}, "x"), label}, datasets.SnapshotOptions{})
		if err == nil || len(r.Quarantined) != 1 || r.Quarantined[0].Reason != datasets.Unlabelled {
			t.Errorf("%q: %v, %+v", label, err, r)
		}
	}
}

// A class without a usable image is reported.
func TestLost(t *testing.T) {
	_, r := take(t, of(memoryFile{key: "cat/1", bytes: sourcetest.Picture(1)}, memoryFile{key: "dog/1", read: io.ErrUnexpectedEOF}))
	if got := r.Lost(); !slices.Equal(got, []string{"dog"}) || !strings.Contains(table(t, r), `warning: the class "dog" has no usable image`) {
		t.Errorf("lost: %q", got)
	}
}
