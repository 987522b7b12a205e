// Package store keeps installed plugins: each executable under its digest, read
// only, beside what it said of itself when it was installed.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tkit/internal/durable"
	"tkit/internal/preprocessing"
	"tkit/plugins"
	"tkit/plugins/host"
)

// ErrNotInstalled is wrapped where a plugin is not there.
var ErrNotInstalled = errors.New("is not installed")

// Installed is a plugin that is there.
type Installed struct {
	plugins.Description
	// Digest is "sha256:" and the hexadecimal SHA-256 of the executable.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// At is when it was installed.
	At time.Time `json:"installed"`
	// Path is where the executable is.
	Path string `json:"-"`
}

// Store is a folder of plugins. Several processes may use it at a time.
type Store struct {
	folder string
}

// In is the store of a home.
func In(home string) Store { return Store{filepath.Join(home, "plugins")} }

// Folder is the one that plugins are started from.
func (s Store) Folder() string { return s.folder }

const (
	executable  = "plugin"
	description = "plugin.json"
)

func (s Store) at(digest string) string {
	return filepath.Join(s.folder, strings.ReplaceAll(digest, ":", "-"))
}

// Install copies an executable into the store, starts it to ask what it is, and
// keeps it. A plugin that is there already is left alone. Another executable
// of the same name and version is refused: a version is one executable.
func (s Store) Install(ctx context.Context, path string, c host.Config) (i Installed, err error) {
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return i, err
	}
	beside, err := os.MkdirTemp(s.folder, ".installing-")
	if err != nil {
		return i, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	copied := filepath.Join(beside, executable)
	if i.Size, err = copyFile(copied, path); err != nil {
		return i, err
	}
	if i.Digest, err = host.Digest(copied); err != nil {
		return i, err
	}
	if there, err := s.read(i.Digest); err == nil {
		return there, nil
	}
	c.Folders, c.Processes = []string{beside}, 1
	p, err := host.Open(ctx, copied, i.Digest, c)
	if err != nil {
		return i, err
	}
	i.Description, i.At = p.Describe(), time.Now().UTC().Truncate(time.Second)
	if err := p.Close(); err != nil {
		return i, err
	}
	if other, err := s.Find(i.Name, i.Version, ""); err == nil {
		return i, fmt.Errorf("plugin %s is installed already, as %s: give this one another version, or remove that", i.Description, other.Digest)
	}
	text, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return i, err
	}
	if err := durable.WriteFile(filepath.Join(beside, description), append(text, '\n'), 0o444); err != nil {
		return i, err
	}
	if err := errors.Join(durable.SyncFolder(beside), os.Chmod(beside, 0o755)); err != nil {
		return i, err
	}
	if err := os.Rename(beside, s.at(i.Digest)); err != nil && !errors.Is(err, fs.ErrExist) {
		return i, err
	}
	i.Path = filepath.Join(s.at(i.Digest), executable)
	return i, durable.SyncFolder(s.folder)
}

func copyFile(to, from string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no file; name the plugin's executable, as `go build` or its build script made it", from)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o555)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Chmod(0o555), out.Sync(), out.Close())
}

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

// List is all that is installed, by name and from the oldest version to the
// newest.
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

// Find is the installed plugin of a name, of the version and the digest where
// they are not empty, and else the newest. The error, which wraps
// ErrNotInstalled, says what is there instead.
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
	return Installed{}, fmt.Errorf("plugin %s %w; `tkit plugins install` does it", wanted, ErrNotInstalled)
}

// Lookup is Find for what people write: NAME, NAME@VERSION or the beginning of
// a digest.
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
	return Installed{}, fmt.Errorf("the digests of %d plugins begin with %s: write more of it", len(found), text)
}

// Pin completes a step by the plugin that is installed: its version, its
// digest, and what it gives. The configuration must follow its schema.
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

// Problem is what is wrong with an installed plugin.
type Problem struct {
	Plugin string `json:"plugin"`
	Detail string `json:"detail"`
}

// Verify reads every executable and checks it against its digest.
func (s Store) Verify(ctx context.Context) ([]Problem, error) {
	all, err := s.List()
	var found []Problem
	if err != nil {
		found = append(found, Problem{s.folder, err.Error()})
	}
	for _, i := range all {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		digest, err := host.Digest(i.Path)
		switch {
		case err != nil:
			found = append(found, Problem{i.Description.String(), err.Error()})
		case digest != i.Digest:
			found = append(found, Problem{i.Description.String(), fmt.Sprintf("%v: it is %s, and was installed as %s", host.ErrReplaced, digest, i.Digest)})
		}
	}
	return found, nil
}

// Remove removes a plugin. Processes that run of it go on.
func (s Store) Remove(i Installed) error {
	away, err := os.MkdirTemp(s.folder, ".removing-")
	if err != nil {
		return err
	}
	err = os.Rename(s.at(i.Digest), filepath.Join(away, "plugin"))
	return errors.Join(err, os.RemoveAll(away))
}
