package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Mismatch is the error of opening an example whose name in a list differs
// from its name in the store.
type Mismatch struct {
	Listed, Found string // the two names
	Differ        string // how they differ, such as "letter case"
	Err           error  // why the listed name cannot be opened
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("%v: %s exists, which differs in %s", m.Err, m.Found, m.Differ)
}

func (m *Mismatch) Unwrap() error { return m.Err }

// ListDifference is one way in which names in a list differ from the files.
type ListDifference struct {
	Differ string `json:"differ"`
	Files  int    `json:"files"`
	// Listed and Found are the first example.
	Listed string `json:"listed,omitempty"`
	Found  string `json:"found,omitempty"`
}

// Unlisted counts files in the folders of listed files, with the same
// extensions, that the list does not name.
type Unlisted struct {
	Files int    `json:"files"`
	First string `json:"first,omitempty"`
}

// counted adds a mismatch to the differences.
func counted(all []ListDifference, m *Mismatch) []ListDifference {
	for i := range all {
		if all[i].Differ == m.Differ {
			all[i].Files++
			return all
		}
	}
	return append(all, ListDifference{m.Differ, 1, m.Listed, m.Found})
}

// listWarnings warns of differences between a list and its files.
func (r *Report) listWarnings() (warnings []string) {
	for _, d := range r.ListDifferences {
		text := fmt.Sprintf("%s in the list cannot be read by the listed name, but by one that differs in %s", plural(d.Files, "file"), d.Differ)
		if d.Listed != "" {
			text += fmt.Sprintf(", such as %q for %q", d.Listed, d.Found)
		}
		warnings = append(warnings, text+": correct the list")
	}
	if u := r.Unlisted; u != nil {
		text := plural(u.Files, "file") + " next to the listed ones, with the same extensions, are not listed and not used"
		if u.First != "" {
			text += fmt.Sprintf(", such as %q", u.First)
		}
		warnings = append(warnings, text)
	}
	return warnings
}

// lister is a source whose examples come from a list. Stored yields the files
// in a folder by the names that the list would use.
type lister interface {
	Stored(ctx context.Context, folder string) iter.Seq2[string, error]
}

// lookForUnlisted looks for files next to the listed ones. Folders that cannot
// be listed are skipped.
func (r *Report) lookForUnlisted(ctx context.Context, src Source, s *Snapshot) error {
	list, ok := src.(lister)
	if !ok {
		return nil
	}
	folders, endings := make(map[string]bool), make(map[string]bool)
	for _, e := range s.Entries {
		endings[strings.ToLower(path.Ext(e.Key))] = true
		if folder := path.Dir(e.Key); len(folders) < maxFolders {
			folders[folder] = true
		}
	}
	var found Unlisted
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		for key, err := range list.Stored(ctx, strings.TrimPrefix(folder, ".")) {
			if ctx.Err() != nil || errors.Is(err, ErrUnavailable) {
				return cmp.Or(ctx.Err(), err)
			}
			if err != nil || !endings[strings.ToLower(path.Ext(key))] || r.lists(s, key) {
				continue
			}
			if found.Files++; found.Files == 1 {
				found.First = key
			}
		}
	}
	if found.Files > 0 {
		r.Unlisted = &found
	}
	return nil
}

// lists reports whether a key is among the examples, used or quarantined.
func (r *Report) lists(s *Snapshot, key string) bool {
	if _, used := s.find(key); used {
		return true
	}
	_, out := slices.BinarySearchFunc(r.Quarantined, key, func(q Quarantined, key string) int { return cmp.Compare(q.Key, key) })
	return out
}
