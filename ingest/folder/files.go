// Package folder is a local folder as the files of a sink.
package folder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"tkit/ingest/commit"
	"tkit/ingest/sink"
	"tkit/internal/durable"
	"tkit/internal/workfolder"
)

// Files are those below a folder, and private to their owner.
type Files struct {
	folder    string
	temporary *workfolder.Folder // files that are being written
	syncs     *commit.Group[unsynced]

	mu   sync.Mutex
	made map[string]bool // folders that are durable, by their names
}

var _ sink.Files = (*Files)(nil)

// mostMade is the number of folders that are remembered.
const mostMade = 1 << 16

// Open creates the folder. The caller closes the files.
func Open(path string) (*Files, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	temporary, err := workfolder.New(path, ".tkit-writing-")
	if err != nil {
		return nil, err
	}
	f := &Files{folder: path, temporary: temporary, made: make(map[string]bool)}
	f.syncs = commit.NewGroup(mostTogether, f.sync)
	return f, nil
}

// Close ends the use of the files.
func (f *Files) Close() error {
	f.syncs.Close()
	return f.temporary.Close()
}

// Put implements [sink.Files].
func (f *Files) Put(ctx context.Context, folder string, files []sink.File) error {
	if err := f.MakeFolder(ctx, folder); err != nil {
		return err
	}
	p := pending{folder: f.path(folder)}
	for _, one := range files {
		if err := p.write(f.temporary.Path, one); err != nil {
			return errors.Join(err, p.discard())
		}
	}
	return f.commit(ctx, p)
}

// Size implements [sink.Files].
func (f *Files) Size(_ context.Context, name string) (int64, error) {
	info, err := os.Lstat(f.path(name))
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, &fs.PathError{Op: "size", Path: f.path(name), Err: fs.ErrNotExist}
	}
	return info.Size(), nil
}

// MakeFolder implements [sink.Files].
func (f *Files) MakeFolder(ctx context.Context, name string) error {
	f.mu.Lock()
	known := f.made[name]
	f.mu.Unlock()
	if known || name == "." {
		return nil
	}
	if err := f.MakeFolder(ctx, path.Dir(name)); err != nil {
		return err
	}
	if err := os.Mkdir(f.path(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Also if it existed: its maker may not have come that far.
	if err := durable.SyncFolder(f.path(path.Dir(name))); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.made) >= mostMade {
		clear(f.made)
	}
	f.made[name] = true
	return nil
}

// Names implements [sink.Files].
func (f *Files) Names(_ context.Context, folder string) (names []string, err error) {
	entries, err := os.ReadDir(f.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Remove implements [sink.Files].
func (f *Files) Remove(_ context.Context, folder string, names ...string) error {
	removed := false
	for _, name := range names {
		err := os.Remove(filepath.Join(f.path(folder), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed = removed || err == nil
		f.mu.Lock()
		delete(f.made, path.Join(folder, name))
		f.mu.Unlock()
	}
	if !removed {
		return nil
	}
	return durable.SyncFolder(f.path(folder))
}

func (f *Files) path(name string) string { return filepath.Join(f.folder, filepath.FromSlash(name)) }
