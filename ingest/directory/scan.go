package directory

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	treefiles "tkit/datasets/files"
	"tkit/ingest/ledger"
)

// scan reads the whole folder, and again at intervals or when asked, until the watcher
// is closed.
func (w *Watcher) scan(reported *events) {
	tick := time.NewTicker(w.options.Poll)
	defer tick.Stop()
	for {
		err := w.scanFolder(w.options.Folder, reported)
		if w.running.Err() != nil {
			return
		}
		if w.options.Scanned != nil {
			w.options.Scanned(err)
		}
		if err != nil {
			w.options.Log.Error("cannot read the folder", "error", err)
			w.fail(err)
		}
		if !w.options.Follow {
			w.end()
			return
		}
		select {
		case <-tick.C:
		case <-w.rescan:
		case <-w.running.Done():
			return
		}
	}
}

// end records that no more files follow.
func (w *Watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scanned = true
	w.changed()
}

// scanFolder reads a folder and the folders in it. The error is that of the first
// folder that cannot be read; the others are read.
func (w *Watcher) scanFolder(folder string, reported *events) (failed error) {
	if reported != nil {
		reported.watch(folder) // before the reading, so that nothing is missed
	}
	err := w.options.Store.List(w.running, folder, func(e Entry) error {
		if w.running.Err() != nil {
			return w.running.Err()
		}
		if err := w.see(filepath.Join(folder, e.Name), e, reported); err != nil && failed == nil {
			failed = err
		}
		return nil
	})
	return errors.Join(failed, gone(err, folder != w.options.Folder))
}

// gone returns nil for the error of something that no longer exists, if that may be.
func gone(err error, may bool) error {
	if may && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// see queues a file, or reads a subfolder.
func (w *Watcher) see(path string, e Entry, reported *events) error {
	switch {
	case path == w.options.Archive || ignored(e.Name):
		return nil
	case e.Folder && w.options.Subfolders:
		return w.scanFolder(path, reported)
	case !e.File:
		return nil
	}
	return w.seen(path, e.Stamp)
}

// seen queues a file that was not delivered.
func (w *Watcher) seen(path string, s Stamp) error {
	if w.options.After == Keep {
		delivered, err := w.options.Ledger.Delivered(w.running, w.entry(path, s))
		if err != nil || delivered {
			return err
		}
	}
	return w.add(path, s)
}

// ignored reports whether files of a name are never images that arrive: hidden ones,
// under which many programs write, and those that systems create.
func ignored(name string) bool {
	return !strings.HasPrefix(name, heldPrefix) && (strings.HasPrefix(name, ".") || treefiles.LeftBehind(name))
}

// relative returns a file's path in the folder, as it was before the watcher took it.
func (w *Watcher) relative(path string) string {
	name, err := filepath.Rel(w.options.Folder, path)
	if err != nil {
		return path // not below the folder, which cannot be
	}
	dir, base := filepath.Split(name)
	return dir + strings.TrimPrefix(base, heldPrefix)
}

func (w *Watcher) entry(path string, s Stamp) ledger.Entry {
	return ledger.Entry{Path: w.relative(path), Size: s.Size, Modified: s.Modified, Inode: s.Inode}
}

// look looks at a path that the system has reported.
func (w *Watcher) look(ctx context.Context, path string, reported *events) {
	e, err := w.options.Store.Stat(ctx, path)
	if err == nil {
		err = w.see(path, e, reported)
	}
	if err = gone(err, true); err != nil && ctx.Err() == nil {
		w.options.Log.WarnContext(ctx, "cannot look at a file; it is tried again with the whole folder", "error", err)
	}
}
