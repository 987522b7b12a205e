package datasets_test

import (
	"slices"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

// A folder of annotations is not a class; a folder with damaged images is.
func TestFoldersBeside(t *testing.T) {
	text := func(key, content string) memoryFile { return memoryFile{key: key, bytes: []byte(content)} }
	src := told{of(
		text("annotations/1.xml", "<annotation/>"), text("annotations/2.XML", "<annotation/>"),
		text("broken/1.jpg", "\xff\xd8\xff"),
		memoryFile{key: "cat/1.png", bytes: sourcetest.Picture(1)}, text("cat/1.txt", "a caption"),
		text("mixed/1.csv", "a,b"), text("mixed/1.heic", "\x00\x00\x00\x18ftypheic"),
		text("unnamed/1", "anything"),
	), datasets.Reading{Labels: "the folders", Folders: true}}
	_, r := take(t, src)
	if want := []string{"annotations"}; !slices.Equal(r.Beside, want) {
		t.Errorf("folders beside the classes: %q, want %q", r.Beside, want)
	}
	if want := []string{"broken", "mixed", "unnamed"}; !slices.Equal(r.Lost(), want) {
		t.Errorf("lost: %q, want %q", r.Lost(), want)
	}
	if got := table(t, r); !strings.Contains(got, `note: "annotations" has no images`) {
		t.Error(got)
	}
	src.reading.Folders = false // labels given otherwise
	if _, r := take(t, src); len(r.Beside) > 0 || !slices.Contains(r.Lost(), "annotations") {
		t.Errorf("of other labels: beside %q, lost %q", r.Beside, r.Lost())
	}
}
