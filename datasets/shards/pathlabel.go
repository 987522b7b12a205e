package shards

import (
	"regexp"
	"strings"
)

// PathLabel says which part of a record's path is its label.
type PathLabel string

// The parts of a path that can be the label.
const (
	// FirstFolder is the first folder, as in a folder per class.
	FirstFolder PathLabel = "folder"
	// Parent is the folder that the image is in.
	Parent PathLabel = "parent"
	// WholePath is all of it.
	WholePath PathLabel = "key"
	// AnyFolder is FirstFolder, and Parent where the path is whole, from the
	// root of a file system or store: its first folder says nothing.
	AnyFolder PathLabel = ""
)

// ofStore is the beginning of a URI or of a path of Windows, up to its root.
var ofStore = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]+:(?://[^/]*)?|[A-Za-z]:)(?:/|$)`)

// What is noted of labels that are from paths.
const (
	wholeNote   = "the names of the records are whole paths: the label is the folder that an image is in; the options label=folder and label=parent say it"
	windowsNote = `the names of the records are parted by \, which is read as /`
)

// Of is the label of a path, or "" where it has no such folder, and what is to be
// noted.
func (p PathLabel) Of(path string) (label, note string) {
	if p == WholePath {
		return path, ""
	}
	if !strings.Contains(path, "/") && strings.Contains(path, `\`) {
		path, note = strings.ReplaceAll(path, `\`, "/"), windowsNote
	}
	whole := strings.HasPrefix(path, "/")
	if begin := ofStore.FindString(path); begin != "" {
		path, whole = path[len(begin):], true
		path, _, _ = strings.Cut(path, "?")
	}
	folders := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(folders) > 0 && !strings.HasSuffix(path, "/") {
		folders = folders[:len(folders)-1]
	}
	switch {
	case len(folders) == 0:
		return "", note
	case p == Parent:
		return folders[len(folders)-1], note
	case p == AnyFolder && whole && len(folders) > 1:
		return folders[len(folders)-1], wholeNote
	}
	return folders[0], note
}
