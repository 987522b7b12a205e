// Package directory reads the files of a folder as they arrive: each file once it is
// completely written, and again until it is delivered.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"tkit/ingest/ledger"
)

// After says what happens to a file that was delivered.
type After string

// Keep leaves it, and the ledger remembers it; Delete removes it; Archive moves it
// into another folder, under the same relative path.
const (
	Keep    After = "keep"
	Delete  After = "delete"
	Archive After = "archive"
)

// Options configure the reading of a folder.
type Options struct {
	Store      Store // where the folder is; nil is the local file system
	Folder     string
	Subfolders bool // also read the folders in it
	// Settle is how long a file's size, times and inode must stay the same before
	// it counts as completely written.
	Settle time.Duration
	// Poll is the time between two complete readings of the folder.
	Poll time.Duration
	// Events makes the watcher look at a file at once when the system reports a
	// change. Network file systems do not report those of other machines.
	Events bool
	// Follow waits for new files. Without it, Next returns io.EOF after the files
	// that exist.
	Follow   bool
	MaxBytes int64 // of a file that is read
	// Readers is the number of files that are read at a time, together at most MaxBytes;
	// 0 is 1. Next returns them in the order in which they would be read by one.
	Readers int
	After   After
	// Archive is the folder of delivered files, on the same file system.
	Archive string
	Ledger  Ledger // of kept files, and of files that are too large
	Log     *slog.Logger
	// Scanned is called with the error of each complete reading of the folder, or nil.
	// It may be nil itself.
	Scanned func(error)
}

// A Ledger remembers delivered files; see [ledger.Ledger].
type Ledger interface {
	Delivered(ctx context.Context, e ledger.Entry) (bool, error)
	Record(ctx context.Context, e ledger.Entry) error
}

func (o *Options) check(ctx context.Context) (err error) {
	if o.Store == nil {
		o.Store = local{}
	}
	if o.Folder, err = filepath.Abs(o.Folder); err != nil {
		return err
	}
	// A link to a folder is one.
	folder, err := o.Store.Stat(ctx, o.Folder+"/.")
	if err != nil {
		return err
	}
	if !folder.Folder {
		return fmt.Errorf("%s is not a folder", o.Folder)
	}
	if o.Ledger == nil {
		return errors.New("the ledger is missing")
	}
	switch o.After {
	case Keep, Delete:
	case Archive:
		return o.openArchive(ctx)
	default:
		return fmt.Errorf("after delivery %q: it must be keep, delete or archive", o.After)
	}
	return nil
}

func (o *Options) openArchive(ctx context.Context) (err error) {
	if o.Archive == "" {
		return errors.New("the archive is missing: name a folder for delivered files")
	}
	if o.Archive, err = filepath.Abs(o.Archive); err != nil {
		return err
	}
	if o.Archive == o.Folder || strings.HasPrefix(o.Folder, o.Archive+string(filepath.Separator)) {
		return fmt.Errorf("the archive %s contains the folder %s: archive elsewhere", o.Archive, o.Folder)
	}
	return o.Store.MakeArchive(ctx, o.Archive, o.Folder)
}
