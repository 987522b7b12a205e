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
// A version counts once it has a saved_model.pb and nothing in it has changed from
// one look to the next, so that what is still being copied is not loaded. What was
// served once counts as long as it is there.
type FolderSource struct {
	Dir   string
	Model string        // the name it is served under
	Every time.Duration // between looks
	Log   *slog.Logger

	mu     sync.Mutex
	looked bool
	served bool             // there was a complete version
	seen   map[int]sighting // the other versions, as they were at the last look
	whole  map[int]bool     // the complete versions
}

// A sighting is a version that may not be complete: its fingerprint, and since when
// it has had it.
type sighting struct {
	print uint64
	since time.Time
}

var _ Source = (*FolderSource)(nil)

// modelFile is what every SavedModel has.
const modelFile = "saved_model.pb"

// Check says what is wrong with a folder in which there is nothing to serve.
func (s *FolderSource) Check() error {
	versions, err := s.versions()
	if err == nil && len(versions) == 0 {
		err = fmt.Errorf("%s has neither a %s nor a folder named by a version's number, such as 1", s.Dir, modelFile)
	}
	return err
}

// Aspirations implements [Source]: the newest complete version. The first call
// waits for the time between two looks.
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
				s.Log.WarnContext(ctx, "cannot look for versions; what is loaded goes on", "folder", s.Dir, "error", err)
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

// look returns the newest complete version, 0 for none.
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
			// Looks may follow one another at once: half the time between two is
			// enough to tell, and lets tickers be late.
			seen[n], whole[n] = at, now.Sub(at.since) >= s.Every/2
		}
		if whole[n] {
			newest = max(newest, n)
		}
	}
	s.looked, s.seen, s.whole, s.served = true, seen, whole, s.served || newest > 0
	return newest, nil
}

// mostFiles bounds the files of a SavedModel that are looked at.
const mostFiles = 100_000

// fingerprint hashes the names, sizes and times of all files of a SavedModel. What
// has no saved_model.pb has none.
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
		info, err := os.Stat(path) // what a link leads to
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return h.Sum64(), err
}

// ModelName returns the name under which a folder is served where none is given:
// its own.
func ModelName(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := filepath.Base(abs)
	if slices.Contains([]string{string(filepath.Separator), "."}, name) {
		return "", fmt.Errorf("%s has no name to serve it under", dir)
	}
	return name, nil
}
