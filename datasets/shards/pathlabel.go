package shards

import (
	"regexp"
	"strings"
)

// PathLabel selects the part of a record's path that is its label.
type PathLabel string

// The parts of a path that can be the label.
const (
	// FirstFolder is the first folder, as in a folder per class.
	FirstFolder PathLabel = "folder"
	// Parent is the folder that contains the image.
	Parent PathLabel = "parent"
	// WholePath is the whole path.
	WholePath PathLabel = "key"
	// AnyFolder is FirstFolder, or Parent for an absolute path in a file system
	// or store, whose first folder is meaningless.
	AnyFolder PathLabel = ""
)

// ofStore matches the beginning of a URI or of a Windows path, up to its root.
var ofStore = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]+:(?://[^/]*)?|[A-Za-z]:)(?:/|$)`)

// Notes about labels derived from paths.
const (
	wholeNote   = "the names of the records are absolute paths: the label is the folder that contains the image; choose by the options label=folder and label=parent"
	windowsNote = `the names of the records contain \, which is read as /`
)

// Of returns the label in a path, or "" if it has no such folder, and a note.
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
