package inference

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A FolderSource serves a folder as TensorFlow Serving serves a base path: the
// newest of its numbered folders, each with a SavedModel. A folder that is itself a
// SavedModel is version 1.
//
// A version is complete once it has a saved_model.pb and nothing in it has changed
// between two checks, so that a folder that is still being copied is not loaded. A
// version that was served once is complete as long as it exists.
type FolderSource struct {
	Dir   string
	Model string        // the name it is served under
	Every time.Duration // between checks
	Log   *slog.Logger

	mu     sync.Mutex
	looked bool
	served bool             // there was a complete version
	seen   map[int]sighting // the other versions, as of the last check
	whole  map[int]bool     // the complete versions
}

// A sighting is a version that may not be complete: its fingerprint, and the time
// since which it has not changed.
type sighting struct {
	print uint64
	since time.Time
}

var _ Source = (*FolderSource)(nil)

// modelFile is the file that every SavedModel has.
const modelFile = "saved_model.pb"

// Check returns an error if a folder contains nothing to serve.
func (s *FolderSource) Check() error {
	versions, err := s.versions()
	if err == nil && len(versions) == 0 {
		err = fmt.Errorf("%s has neither a %s nor a folder named by a version's number, such as 1", s.Dir, modelFile)
	}
	return err
}

// Aspirations implements [Source]: the newest complete version. The first call
// waits for the time between two checks.
func (s *FolderSource) Aspirations(ctx context.Context) ([]Aspiration, error) {
	s.mu.Lock()
	first := !s.looked
	s.mu.Unlock()
	if first {
		if _, err := s.look(); err != nil {
			return nil, err
		}
		select {
		case <-time.After(s.Every):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	newest, err := s.look()
	if err != nil {
		return nil, err
	}
	if newest == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.served {
			return nil, fmt.Errorf("no version in %s is complete yet", s.Dir)
		}
		return nil, nil
	}
	return []Aspiration{{Model: s.Model, Versions: []int{newest}}}, nil
}

// Changes implements [Source].
func (s *FolderSource) Changes(ctx context.Context) <-chan struct{} {
	changes := make(chan struct{}, 1)
	go func() {
		tick := time.NewTicker(s.Every)
		defer tick.Stop()
		last, failed := 0, false
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			newest, err := s.look()
			if err != nil && !failed {
				s.Log.WarnContext(ctx, "cannot check the folder for versions; loaded versions stay in use", "folder", s.Dir, "error", err)
			}
			if failed = err != nil; failed || newest == last {
				continue
			}
			last = newest
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}()
	return changes
}

// Parts implements [Source].
func (s *FolderSource) Parts(_ context.Context, _ string, version int) (Parts, error) {
	versions, err := s.versions()
	if err != nil {
		return Parts{}, err
	}
	dir, ok := versions[version]
	if !ok {
		return Parts{}, fmt.Errorf("version %d is no longer in %s", version, s.Dir)
	}
	return Parts{SavedModel: dir}, nil
}

// versions returns the folders of the versions by their numbers.
func (s *FolderSource) versions() (map[int]string, error) {
	if _, err := os.Stat(filepath.Join(s.Dir, modelFile)); err == nil {
		return map[int]string{1: s.Dir}, nil
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, err
	}
	versions := map[int]string{}
	for _, e := range entries {
		n, err := strconv.ParseUint(e.Name(), 10, 63) // leading zeros are allowed
		if err != nil || n == 0 || versions[int(n)] != "" {
			continue
		}
		versions[int(n)] = filepath.Join(s.Dir, e.Name())
	}
	return versions, nil
}

// look returns the newest complete version, 0 if there is none.
func (s *FolderSource) look() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions, err := s.versions()
	if err != nil {
		return 0, err
	}
	seen, whole, newest, now := map[int]sighting{}, map[int]bool{}, 0, time.Now()
	for n, dir := range versions {
		if s.whole[n] {
			_, err := os.Stat(filepath.Join(dir, modelFile))
			whole[n] = err == nil
		} else if print, err := fingerprint(dir); err == nil {
			at, known := s.seen[n]
			if !known || at.print != print {
				at = sighting{print, now}
			}
			// Two checks may follow each other closely if a ticker is late. Half
			// of the interval is enough to detect changes.
			seen[n], whole[n] = at, now.Sub(at.since) >= s.Every/2
		}
		if whole[n] {
			newest = max(newest, n)
		}
	}
	s.looked, s.seen, s.whole, s.served = true, seen, whole, s.served || newest > 0
	return newest, nil
}

// mostFiles is the maximum number of files of a SavedModel.
const mostFiles = 100_000

// fingerprint hashes the names, sizes and times of all files of a SavedModel. A
// folder without a saved_model.pb has none.
func fingerprint(dir string) (uint64, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(root, modelFile)); err != nil {
		return 0, err
	}
	h, files := fnv.New64a(), 0
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if files++; files > mostFiles {
			return errors.New("too many files")
		}
		info, err := os.Stat(path) // the target of a link
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return h.Sum64(), err
}

// ModelName returns the default name under which a folder is served: the
// folder's own.
func ModelName(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := filepath.Base(abs)
	if slices.Contains([]string{string(filepath.Separator), "."}, name) {
		return "", fmt.Errorf("%s has no name of its own to serve it under: give one", dir)
	}
	return name, nil
}
