package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tkit/internal/preprocessing"
	"tkit/plugins/host"
)

func (s Store) read(digest string) (i Installed, err error) {
	text, err := os.ReadFile(filepath.Join(s.at(digest), description))
	if err != nil {
		return i, err
	}
	if err := json.Unmarshal(text, &i); err != nil {
		return i, fmt.Errorf("%s: %w", filepath.Join(s.at(digest), description), err)
	}
	i.Path = filepath.Join(s.at(digest), executable)
	return i, nil
}

// List returns the installed plugins, by name and from the oldest version to
// the newest.
func (s Store) List() ([]Installed, error) {
	entries, err := os.ReadDir(s.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Installed
	for _, e := range entries {
		digest, ours := strings.CutPrefix(e.Name(), "sha256-")
		if !ours || !e.IsDir() {
			continue
		}
		i, readErr := s.read("sha256:" + digest)
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("an installed plugin cannot be read: %w", readErr))
			continue
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Installed) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return compareVersions(a.Version, b.Version)
	})
	return all, err
}

// Find returns the installed plugin of a name, with the given version and
// digest if they are not empty, else the newest. The error, which wraps
// ErrNotInstalled, lists the alternatives.
func (s Store) Find(name, version, digest string) (Installed, error) {
	all, err := s.List()
	var others []string
	for _, i := range slices.Backward(all) {
		if i.Name != name {
			continue
		}
		if (version == "" || i.Version == version) && (digest == "" || i.Digest == digest) {
			return i, nil
		}
		others = append(others, fmt.Sprintf("%s (%s)", i.Version, i.Digest[:min(19, len(i.Digest))]))
	}
	if err != nil {
		return Installed{}, err
	}
	wanted := preprocessing.Plugin{Name: name, Version: version, Digest: digest}
	if len(others) > 0 {
		return Installed{}, fmt.Errorf("plugin %s %w; there are %s", wanted, ErrNotInstalled, strings.Join(others, ", "))
	}
	return Installed{}, fmt.Errorf("plugin %s %w", wanted, ErrNotInstalled)
}

// Lookup is Find for user input: NAME, NAME@VERSION or the beginning of a
// digest.
func (s Store) Lookup(text string) (Installed, error) {
	if !strings.HasPrefix(text, "sha256:") {
		name, version, _ := strings.Cut(text, "@")
		return s.Find(name, version, "")
	}
	all, err := s.List()
	if err != nil {
		return Installed{}, err
	}
	var found []Installed
	for _, i := range all {
		if strings.HasPrefix(i.Digest, text) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Installed{}, fmt.Errorf("plugin %s %w", text, ErrNotInstalled)
	}
	return Installed{}, fmt.Errorf("the digests of %d plugins begin with %s: give a longer prefix", len(found), text)
}

// Pin completes a step with the installed plugin: its version, its digest, and
// its output. The configuration must match its schema.
func (s Store) Pin(step preprocessing.Plugin) (preprocessing.Plugin, error) {
	i, err := s.Find(step.Name, step.Version, step.Digest)
	if err != nil {
		return step, err
	}
	if err := host.CheckConfig(i.Description, step.Config); err != nil {
		return step, fmt.Errorf("plugin %s: %w", i.Description, err)
	}
	step.Version, step.Digest = i.Version, i.Digest
	step.Gives = preprocessing.Gives{Height: i.Gives.Shape[0], Width: i.Gives.Shape[1], Channels: i.Gives.Shape[2]}
	if i.Gives.Kind != i.Takes.Kind {
		step.Gives.Kind = i.Gives.Kind
	}
	return step, nil
}
