package store

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// lockName is the file in which a plugin in Python lists its packages.
const lockName = "requirements.txt"

// maxLock bounds the size of a lock in an archive.
const maxLock = 1 << 20

// lockOf returns the lock of a plugin that is a Python archive, and nil for
// others.
func lockOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start := make([]byte, 2)
	if _, err := io.ReadFull(f, start); err != nil || string(start) != "#!" {
		return nil, nil
	}
	archive, err := zip.NewReader(f, info.Size())
	if errors.Is(err, zip.ErrFormat) {
		return nil, nil // a script of another kind
	}
	if err != nil {
		return nil, err
	}
	lock, err := archive.Open(lockName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it is a Python archive without %s, so its packages are not pinned: build it with `python -m tkit_plugins build`", lockName)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	text, err := io.ReadAll(io.LimitReader(lock, maxLock+1))
	if err == nil && len(text) > maxLock {
		err = fmt.Errorf("%s is larger than %d bytes", lockName, maxLock)
	}
	return text, err
}

var requirement = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.+!_-]*)((\s+--hash=sha256:[0-9a-f]{64})+)$`)

// parseLock parses a lock: packages with exact versions and the digests of
// their wheels, and nothing else that pip supports, such as other indexes. It
// returns the packages as NAME==VERSION.
func parseLock(text []byte) ([]string, error) {
	var packages []string
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for n, line := range strings.Split(joined, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		m := requirement.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s line %d: %q: want NAME==VERSION --hash=sha256:DIGEST", lockName, n+1, line)
		}
		packages = append(packages, m[1]+"=="+m[2])
	}
	return packages, nil
}
