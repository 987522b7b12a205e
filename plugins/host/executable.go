package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-plugin"

	"tkit/plugins/internal/sealed"
)

// Digest returns "sha256:" and the hexadecimal SHA-256 of a plugin's
// executable, which manifests use to identify it.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// executable is an immutable copy in memory of a plugin's executable: the
// content checked against the digest is what runs, whatever happens to the
// file.
type executable struct {
	path   string
	digest string
	file   *os.File
}

func openExecutable(path, digest string, folders []string) (*executable, error) {
	path, err := allowed(path, folders)
	if err != nil {
		return nil, err
	}
	want, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("plugin %s: digest %q: want sha256: and 64 hexadecimal digits", path, digest)
	}
	file, err := sealedCopy(path)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	secure := plugin.SecureConfig{Checksum: want, Hash: sha256.New()}
	same, err := secure.Check(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err == nil && !same {
		err = fmt.Errorf("%w: its digest is no longer %s; install it again", ErrReplaced, digest)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("plugin %s: %w", path, err), file.Close())
	}
	return &executable{path, digest, file}, nil
}

func (e *executable) close() error { return e.file.Close() }

// allowed resolves the links of path and returns the result if it is a file
// below one of the folders.
func allowed(path string, folders []string) (string, error) {
	real, err := resolve(path)
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("plugin %s: not an executable file", real)
	}
	for _, folder := range folders {
		root, err := resolve(folder)
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(root, real); err == nil && filepath.IsLocal(rel) {
			return real, guarded(real, root)
		}
	}
	return "", fmt.Errorf("plugin %s: is outside the folders that plugins may be started from (%s)", real, strings.Join(folders, ", "))
}

// guarded refuses an executable that everybody may replace.
func guarded(path, root string) error {
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
			return fmt.Errorf("plugin %s: everybody may write to %s; chmod o-w it", path, at)
		}
		if at == root || at == filepath.Dir(at) {
			return nil
		}
	}
}

func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// sealedCopy returns a file's content in memory, sealed against changes.
func sealedCopy(path string) (*os.File, error) {
	from, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	return sealed.Copy(path, from)
}
