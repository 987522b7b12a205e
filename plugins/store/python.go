package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tkit/internal/durable"
	"tkit/plugins/host"
	"tkit/plugins/python"
)

// Python describes what a plugin in Python runs with: an interpreter, and the
// packages of its lock, which plugins with equal locks share. The plugin's
// digest covers the lock, the lock has the digests of the packages' wheels, and
// Digest covers the files that pip unpacked.
type Python struct {
	// Version is the interpreter's version, such as "3.11.7"; Prefix is the
	// installation's folder, and Interpreter its executable.
	Version     string `json:"version"`
	Prefix      string `json:"prefix"`
	Interpreter string `json:"interpreter"`
	// Packages are those of the lock, NAME==VERSION each.
	Packages []string `json:"packages"`
	// Folder is their folder, below the store's; Digest covers all its files.
	Folder string `json:"folder"`
	Digest string `json:"digest"`
}

// packagesVariable gives a plugin's process the folder of its packages.
const packagesVariable = "TKIT_PLUGIN_PACKAGES"

const (
	packages       = "packages"
	programs       = "bin"
	packagesRecord = "python.json"
	packagesPrefix = "python-"
)

// python prepares the environment of an executable; nil if it is not in Python.
func (s Store) python(ctx context.Context, path string, o Options) (*Python, error) {
	lock, err := lockOf(path)
	if lock == nil || err != nil {
		return nil, err
	}
	p := &Python{}
	if p.Packages, err = parseLock(lock); err != nil {
		return nil, err
	}
	interpreter := o.interpreter()
	if err := p.find(ctx, interpreter); err != nil {
		return nil, fmt.Errorf("it is in Python: %w; %w", err, python.ErrInterpreter)
	}
	key := sha256.Sum256(append([]byte(p.Version+"\n"+p.Interpreter+"\n"), lock...))
	p.Folder = packagesPrefix + hex.EncodeToString(key[:16])
	if there, err := s.readPython(p.Folder); err == nil && s.checkPackages(ctx, there) == nil {
		p.Digest = there.Digest
		return p, nil
	}
	return p, s.makePackages(ctx, p, lock, interpreter, o.Wheels)
}

// find asks an interpreter, which may be that of a virtual environment, for its
// details.
func (p *Python) find(ctx context.Context, interpreter string) error {
	asked, err := output(ctx, interpreter, "-I", "-c", `import json, os, platform, sys
print(json.dumps({"version": platform.python_version(), "prefix": sys.base_prefix,
                  "interpreter": os.path.realpath(sys._base_executable)}))`)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(asked), p)
}

func (s Store) readPython(folder string) (p Python, err error) {
	text, err := os.ReadFile(filepath.Join(s.folder, folder, packagesRecord))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// makePackages unpacks the wheels of a lock into a folder with pip.
func (s Store) makePackages(ctx context.Context, p *Python, lock []byte, interpreter, wheels string) (err error) {
	beside, err := os.MkdirTemp(s.folder, ".installing-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	file, to := filepath.Join(beside, lockName), filepath.Join(beside, packages)
	if err := errors.Join(os.WriteFile(file, lock, 0o644), os.Mkdir(to, 0o755), os.Chmod(beside, 0o755)); err != nil {
		return err
	}
	if err := s.runPip(ctx, interpreter, wheels, beside, "--target", to, "--requirement", file); err != nil {
		return fmt.Errorf("its packages, for Python %s: %w; a lock is for one version of Python: %w, or %w", p.Version, err, python.ErrInterpreter, ErrPackages)
	}
	// Scripts written by pip contain paths of this machine.
	if err := os.RemoveAll(filepath.Join(to, "bin")); err != nil {
		return err
	}
	// Compiled once: a plugin may not write there, and would compile at each
	// start.
	if _, err := output(ctx, interpreter, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
		"-s", to, to); err != nil && !errors.As(err, new(*exec.ExitError)) { // some packages contain files that Python cannot compile
		return err
	}
	if p.Digest, err = treeDigest(ctx, to); err != nil {
		return err
	}
	// The name that the archive uses.
	if err := errors.Join(os.Mkdir(filepath.Join(beside, programs), 0o755), os.Symlink(p.Interpreter, filepath.Join(beside, programs, "python3"))); err != nil {
		return err
	}
	record, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(beside, packagesRecord), append(record, '\n'), 0o444); err != nil {
		return err
	}
	final := filepath.Join(s.folder, p.Folder)
	if err := os.RemoveAll(final); err != nil { // damaged, or incomplete
		return err
	}
	return errors.Join(os.Rename(beside, final), durable.SyncFolder(s.folder))
}

// pipVariables lists the environment variables that configure pip's access to
// its index, and those that any program needs; no others are passed.
var pipVariables = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_PROXY", "PIP_TRUSTED_HOST",
}

// runPip unpacks wheels. It runs in a separate folder, and Python without the
// user's packages and variables (-I): otherwise a folder named pip in tkit's
// working directory would be run instead. If the wheels are given, pip uses no
// network and no configuration.
func (s Store) runPip(ctx context.Context, interpreter, wheels, folder string, args ...string) (err error) {
	environment := []string{"PIP_NO_INPUT=1"}
	for _, name := range pipVariables {
		if value, set := os.LookupEnv(name); set {
			environment = append(environment, name+"="+value)
		}
	}
	pip := []string{"-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"}
	if wheels != "" {
		if wheels, err = filepath.Abs(wheels); err != nil {
			return err
		}
		environment = append(environment, "PIP_CONFIG_FILE="+os.DevNull)
		pip = append(pip, "--isolated", "--no-index", "--find-links", wheels)
	}
	cwd := filepath.Join(folder, "empty")
	if err := os.Mkdir(cwd, 0o700); err != nil {
		return err
	}
	if strings.ContainsRune(interpreter, filepath.Separator) {
		if interpreter, err = filepath.Abs(interpreter); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, interpreter, append(pip, args...)...)
	cmd.Dir, cmd.Env = cwd, environment
	_, err = run(ctx, cmd)
	return errors.Join(err, os.Remove(cwd))
}

// output runs a program; the error has its output.
func output(ctx context.Context, name string, args ...string) (string, error) {
	return run(ctx, exec.CommandContext(ctx, name, args...))
}

// run runs a command made with ctx, whose end kills it and its children.
func run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:min(4, len(cmd.Args))], " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// withPython returns the host's configuration for a plugin in Python.
func (s Store) withPython(ctx context.Context, p Python, c host.Config) (host.Config, error) {
	if err := s.checkPackages(ctx, p); err != nil {
		return c, err
	}
	if err := p.unchanged(ctx); err != nil {
		return c, err
	}
	folder := filepath.Join(s.folder, p.Folder, packages)
	c.Path = append([]string{filepath.Join(s.folder, p.Folder, programs)}, c.Path...)
	c.Readable = append([]string{folder, p.Prefix}, c.Readable...)
	c.Environment = append([]string{packagesVariable + "=" + folder}, c.Environment...)
	return c, nil
}

// unchanged checks that the interpreter exists and has, except for patch
// releases, the version that the packages are for.
func (p *Python) unchanged(ctx context.Context) error {
	var now Python
	if err := now.find(ctx, p.Interpreter); err != nil {
		return fmt.Errorf("its Python %s no longer exists: %w; install it again", p.Version, err)
	}
	if minor(now.Version) != minor(p.Version) {
		return fmt.Errorf("it was installed for Python %s, but %s is now Python %s; install it again", p.Version, p.Interpreter, now.Version)
	}
	return nil
}

// minor returns the part of a version that compiled packages depend on.
func minor(version string) string { return version[:max(0, strings.LastIndexByte(version, '.'))] }

// checkPackages verifies that the packages are unchanged since the
// installation.
func (s Store) checkPackages(ctx context.Context, p Python) error {
	digest, err := treeDigest(ctx, filepath.Join(s.folder, p.Folder, packages))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its Python packages no longer exist: %w; install it again", err)
	}
	if err == nil && digest != p.Digest {
		err = fmt.Errorf("%w: its Python packages in %s were modified; install it again",
			host.ErrReplaced, filepath.Join(s.folder, p.Folder))
	}
	return err
}

// removeUnusedPackages removes the packages of removed plugins.
func (s Store) removeUnusedPackages() error {
	all, err := s.List()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, i := range all {
		if i.Python != nil {
			used[i.Python.Folder] = true
		}
	}
	entries, err := os.ReadDir(s.folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), packagesPrefix) && !used[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.folder, e.Name())))
		}
	}
	return err
}
