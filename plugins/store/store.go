// Package store keeps installed plugins: each executable under its digest, read
// only, beside what it said of itself when it was installed.
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

// ErrPackages is wrapped where the packages of a plugin in Python cannot be had.
var ErrPackages = errors.New("name a folder that has the packages")

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
	// Python is what a plugin in Python runs with; nil for others.
	Python *Python `json:"python,omitempty"`
	// Path is where the executable is.
	Path string `json:"-"`
}

// Options say how to install. The zero value does for a plugin that needs no
// more than the system has.
type Options struct {
	// Python is the interpreter of plugins in Python, as a command or a path.
	// Empty: python3.
	Python string
	// Wheels is a folder that has the packages of plugins in Python. Empty: pip
	// fetches them from where it is set up to.
	Wheels string
	// Host says how the plugin is run to ask what it is.
	Host host.Config
}

func (o Options) interpreter() string { return cmp.Or(o.Python, "python3") }

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
// keeps it; for one in Python it gets the packages that it names. Where path is
// the project of a plugin in Python, its archive is built first. A plugin that is
// there already, and whole, is left alone. Another executable of the same name
// and version is refused: a version is one executable.
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
		if err := s.remove(there.Digest); err != nil { // damaged: put it back
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
		return i, fmt.Errorf("plugin %s is installed already, as %s: give this one another version, or remove that", i.Description, other.Digest)
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

// checkSummary refuses what is no line of text.
func checkSummary(text string) error {
	if len(text) > longestSummary {
		return fmt.Errorf("its summary is of %d bytes, and may be of %d", len(text), longestSummary)
	}
	if printable.Text(text) != text {
		return fmt.Errorf("its summary %q has characters that no line of text has", text)
	}
	return nil
}

// bring puts the executable at path, or the archive of the project there, into a
// folder.
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

// ask starts a plugin to learn what it is.
func (s Store) ask(ctx context.Context, i Installed, c host.Config) (plugins.Description, error) {
	c.Processes = 1
	p, err := s.Open(ctx, i, c)
	if err != nil {
		return plugins.Description{}, err
	}
	return p.Describe(), p.Close()
}

// Open starts a plugin, after a check that it and what it runs with are what
// was installed. Executables lie in the store and nowhere else.
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

// lock keeps other processes from changing the store.
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

// Tidy removes what processes that were killed have left in the store. Where one
// changes the store, it does so itself.
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

// tidy removes what a process that was killed has left behind: nobody makes the
// like without the lock, and a trial that goes on has claimed its folder.
func (s Store) tidy() error {
	var err error
	for _, kind := range []string{".installing-", ".removing-", trying} {
		left, _ := filepath.Glob(filepath.Join(s.folder, kind+"*")) // the pattern is good
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
		return 0, fmt.Errorf("%s is no file; name the plugin's executable, or the project of one in Python, a folder with a pyproject.toml", from)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o555)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Chmod(0o555), out.Sync(), out.Close())
}
