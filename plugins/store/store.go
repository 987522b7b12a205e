// Package store stores installed plugins: each executable under its digest,
// read only, with the description from its installation.
package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tkit/internal/durable"
	"tkit/internal/printable"
	"tkit/plugins"
	"tkit/plugins/host"
	"tkit/plugins/internal/claim"
	"tkit/plugins/python"
)

// ErrPackages is wrapped by errors about missing packages of a plugin in Python.
var ErrPackages = errors.New("choose a folder with the packages")

// ErrNotInstalled is wrapped by errors about a plugin that is not installed.
var ErrNotInstalled = errors.New("is not installed")

// Installed is an installed plugin.
type Installed struct {
	plugins.Description
	// Digest is "sha256:" and the hexadecimal SHA-256 of the executable.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// At is the time of installation.
	At time.Time `json:"installed"`
	// Python is the environment of a plugin in Python; nil for others.
	Python *Python `json:"python,omitempty"`
	// Path is the path of the executable.
	Path string `json:"-"`
}

// Options configures the installation. The zero value suits a plugin that needs
// only the system.
type Options struct {
	// Python is the interpreter of plugins in Python, as a command or a path.
	// Empty: python3.
	Python string
	// Wheels is a folder with the packages of plugins in Python. Empty: pip
	// downloads them from its configured index.
	Wheels string
	// Host configures how the plugin is run to get its description.
	Host host.Config
}

func (o Options) interpreter() string { return cmp.Or(o.Python, "python3") }

// Store is a folder of plugins. It may be used by several processes
// concurrently.
type Store struct {
	folder string
}

// In returns the store of a home.
func In(home string) Store { return Store{filepath.Join(home, "plugins")} }

// Folder returns the folder that plugins are started from.
func (s Store) Folder() string { return s.folder }

const (
	executable  = "plugin"
	description = "plugin.json"
)

func (s Store) at(digest string) string {
	return filepath.Join(s.folder, strings.ReplaceAll(digest, ":", "-"))
}

// Install copies an executable into the store, starts it to get its
// description, and keeps it; for a plugin in Python it gets the packages in its
// lock. If path is a project of a plugin in Python, its archive is built first.
// An intact installed plugin is left alone. A different executable with the
// same name and version is refused: a version is one executable.
func (s Store) Install(ctx context.Context, path string, o Options) (i Installed, err error) {
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return i, err
	}
	unlock, err := s.lock()
	if err != nil {
		return i, err
	}
	defer unlock()
	if err := s.tidy(); err != nil {
		return i, err
	}
	beside, err := os.MkdirTemp(s.folder, ".installing-")
	if err != nil {
		return i, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	if i, err = bring(ctx, beside, path, o); err != nil {
		return i, err
	}
	if there, err := s.read(i.Digest); err == nil {
		if s.check(ctx, there) == nil {
			return there, nil
		}
		if err := s.remove(there.Digest); err != nil { // damaged: restore it
			return i, err
		}
	}
	if i.Python, err = s.python(ctx, i.Path, o); err != nil {
		return i, fmt.Errorf("%s: %w", path, err)
	}
	if i.Description, err = s.ask(ctx, i, o.Host); err != nil {
		return i, fmt.Errorf("%s: %w", path, err)
	}
	if err := checkSummary(i.Summary); err != nil {
		return i, fmt.Errorf("%s: %w", path, err)
	}
	if other, err := s.Find(i.Name, i.Version, ""); err == nil {
		return i, fmt.Errorf("plugin %s is already installed, as %s: change the version of this one, or remove the other", i.Description, other.Digest)
	}
	i.At = time.Now().UTC().Truncate(time.Second)
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
	if err := os.Rename(beside, s.at(i.Digest)); err != nil {
		return i, err
	}
	i.Path = filepath.Join(s.at(i.Digest), executable)
	return i, durable.SyncFolder(s.folder)
}

// longestSummary bounds a summary, in bytes.
const longestSummary = 1 << 10

// checkSummary returns an error unless a summary is a line of text.
func checkSummary(text string) error {
	if len(text) > longestSummary {
		return fmt.Errorf("its summary has %d bytes, more than the allowed %d", len(text), longestSummary)
	}
	if printable.Text(text) != text {
		return fmt.Errorf("its summary %q has control characters", text)
	}
	return nil
}

// bring copies the executable at path, or the archive of the project there,
// into a folder.
func bring(ctx context.Context, folder, path string, o Options) (i Installed, err error) {
	i.Path = filepath.Join(folder, executable)
	from := path
	if python.IsProject(path) {
		from = filepath.Join(folder, "built")
		if err := python.Build(ctx, o.interpreter(), path, from); err != nil {
			return i, err
		}
		defer func() { err = errors.Join(err, os.Remove(from)) }()
	}
	if i.Size, err = copyFile(i.Path, from); err != nil {
		return i, err
	}
	i.Digest, err = host.Digest(i.Path)
	return i, err
}

// ask starts a plugin to get its description.
func (s Store) ask(ctx context.Context, i Installed, c host.Config) (plugins.Description, error) {
	c.Processes = 1
	p, err := s.Open(ctx, i, c)
	if err != nil {
		return plugins.Description{}, err
	}
	return p.Describe(), p.Close()
}

// Open starts a plugin, after verifying that it and its environment are
// unchanged. Executables outside the store are not started.
func (s Store) Open(ctx context.Context, i Installed, c host.Config) (*host.Plugin, error) {
	c.Folders = []string{s.folder}
	if i.Python != nil {
		var err error
		if c, err = s.withPython(ctx, *i.Python, c); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", i.Description, err)
		}
	}
	return host.Open(ctx, i.Path, i.Digest, c)
}

// lock prevents other processes from changing the store.
func (s Store) lock() (unlock func(), err error) {
	folder, err := os.Open(s.folder)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", s.folder, err), folder.Close())
	}
	return func() { folder.Close() }, nil
}

// Tidy removes the remains of killed processes from the store. Changes of the
// store do so themselves.
func (s Store) Tidy() error {
	folder, err := os.Open(s.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	err = unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", s.folder, err)
	}
	return s.tidy()
}

// tidy removes the remains of killed processes: such folders are only made
// under the lock, and an active trial has claimed its folder.
func (s Store) tidy() error {
	var err error
	for _, kind := range []string{".installing-", ".removing-", trying} {
		left, _ := filepath.Glob(filepath.Join(s.folder, kind+"*")) // the pattern is valid
		for _, path := range left {
			if kind != trying || claim.Abandoned(path) {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
	}
	return err
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
		return 0, fmt.Errorf("%s is not a file; give the plugin's executable, or the project of one in Python, a folder with a pyproject.toml", from)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o555)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Chmod(0o555), out.Sync(), out.Close())
}
