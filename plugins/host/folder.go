package host

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"tkit/plugins/internal/claim"
)

// folderPattern matches the folders of processes, below the folder for
// temporary files.
const folderPattern = "tkit-plugin-*"

// folder is a process's own folder, with the socket; it is removed with the
// process.
type folder struct {
	path  string
	claim *os.File
}

func newFolder() (*folder, error) {
	path, err := os.MkdirTemp("", folderPattern)
	if err != nil {
		return nil, err
	}
	claimed, err := claim.Take(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return &folder{path, claimed}, nil
}

func (f *folder) remove() error {
	return errors.Join(os.RemoveAll(f.path), f.claim.Close())
}

// tidyFolders removes, once, the folders of processes whose tkit was killed.
var tidyFolders = sync.OnceFunc(func() { tidyFoldersOlderThan(time.Minute) })

// tidyFoldersOlderThan skips folders made so recently that their tkit may not
// have claimed them yet, and other users' folders.
func tidyFoldersOlderThan(age time.Duration) {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPattern)) // the pattern is valid
	for _, path := range left {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < age {
			continue
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) == os.Geteuid() && claim.Abandoned(path) {
			os.RemoveAll(path) // failure to remove is harmless
		}
	}
}
