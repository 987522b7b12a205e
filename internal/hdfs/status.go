package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/colinmarc/hdfs/v2"
)

// Info is the NameNode's status of a file or directory.
type Info struct {
	Name      string // the last element of the path
	Size      int64
	Directory bool
	Mode      fs.FileMode // permissions
	Owner     string
	Group     string
	Modified  time.Time
	ID        uint64 // of the inode: another file of the same name has a different ID
	// Refused says why this client must not read the file. It wraps ErrRefused
	// and names the remedy.
	Refused error
}

// Openable returns why a file cannot be read from an offset, nil if it can.
func (i Info) Openable(offset int64) error {
	switch {
	case i.Directory:
		return fmt.Errorf("%w: it is a directory", fs.ErrInvalid)
	case i.Refused != nil:
		return i.Refused
	case offset < 0:
		return fmt.Errorf("%w: offset %d", fs.ErrInvalid, offset)
	}
	return nil
}

// BeingWritten reports whether a file is open for write.
func (i Info) BeingWritten() bool { return errors.Is(i.Refused, errOpen) }

// Identity is equal for equal contents of one path, as far as HDFS can tell:
// files are only appended to, truncated or replaced, and each changes it.
func (i Info) Identity() string { return fmt.Sprintf("%d-%d-%d", i.ID, i.Size, i.Modified.UnixMilli()) }

// The flags of HdfsFileStatusProto.flags.
const (
	hasCrypt = 2
	hasEC    = 4
)

// Reasons for refusing files, each with the remedy.
var (
	errLink      = fmt.Errorf("%w: it is a symbolic link: name the file itself", ErrRefused)
	errEncrypted = fmt.Errorf("%w: it is in an encryption zone, and caches and models would hold its plain content: "+
		"copy it out of the zone as a user who holds the key", ErrRefused)
	errCoded = fmt.Errorf("%w: it is erasure-coded: copy it into a folder with the policy REPLICATION", ErrRefused)
	errOpen  = fmt.Errorf("%w: it is open for write: try again when its writer has closed it, "+
		"or free it from a dead one with hdfs debug recoverLease", ErrRefused)
)

// newInfo converts a status that includes block locations: only they show that
// a file is being written.
func newInfo(name string, s *hdfs.FileStatus) Info {
	const isDirectory, isFile = 1, 2
	i := Info{
		Name:     name,
		Size:     int64(s.GetLength()),
		Mode:     fs.FileMode(s.GetPermission().GetPerm()) & fs.ModePerm,
		Owner:    s.GetOwner(),
		Group:    s.GetGroup(),
		Modified: time.UnixMilli(int64(s.GetModificationTime())),
		ID:       s.GetFileId(),
	}
	switch kind := int(s.GetFileType()); {
	case kind == isDirectory:
		i.Directory, i.Size = true, 0
	case kind != isFile:
		i.Refused = errLink
	case s.GetFlags()&hasCrypt != 0 || s.GetFileEncryptionInfo() != nil:
		i.Refused = errEncrypted
	case s.GetFlags()&hasEC != 0 || s.GetEcPolicy() != nil:
		i.Refused = errCoded
	case s.GetLocations().GetUnderConstruction():
		i.Refused = errOpen
	}
	return i
}

// Stat returns the status of an absolute path. Users who may not read a file
// may still learn its length.
func (c *Client) Stat(ctx context.Context, path string) (Info, error) {
	var i Info
	err := c.call(ctx, "stat", path, func(s *session) (err error) {
		i, err = stat(s, path)
		return err
	})
	return i, err
}

func stat(s *session, path string) (Info, error) {
	answer, err := execute(s.lib, "getLocatedFileInfo", map[string]any{"src": path})
	if err != nil {
		return Info{}, err
	}
	status, ok := get(answer, "fs").Message().Interface().(*hdfs.FileStatus)
	if !ok || status == nil || !answer.Has(answer.Descriptor().Fields().ByName("fs")) {
		return Info{}, fs.ErrNotExist
	}
	return newInfo(base(path), status), nil
}

// ReadDir lists a directory in the NameNode's order, a batch at a time:
// ascending by the names' bytes as signed values, which for ASCII is the usual
// order. An error is yielded once, last, and means that the list is incomplete.
func (c *Client) ReadDir(ctx context.Context, dir string) iter.Seq2[Info, error] {
	return List(func(after string) (batch []Info, more bool, err error) {
		err = c.call(ctx, "readdir", dir, func(s *session) (err error) {
			var remaining uint64
			batch, remaining, err = readDir(s, dir, after)
			more = remaining > 0
			return err
		})
		return batch, more, err
	})
}

func readDir(s *session, dir, after string) (batch []Info, remaining uint64, err error) {
	answer, err := execute(s.lib, "getListing", map[string]any{"src": dir, "startAfter": []byte(after), "needLocation": true})
	if err != nil {
		return nil, 0, err
	}
	if !answer.Has(answer.Descriptor().Fields().ByName("dirList")) {
		return nil, 0, fs.ErrNotExist
	}
	listing := get(answer, "dirList").Message()
	entries := get(listing, "partialListing").List()
	for k := range entries.Len() {
		status := entries.Get(k).Message().Interface().(*hdfs.FileStatus)
		name := string(status.GetPath())
		if name == "" { // the path is a file
			return nil, 0, fmt.Errorf("%w: not a directory", fs.ErrInvalid)
		}
		batch = append(batch, newInfo(name, status))
	}
	remaining = get(listing, "remainingEntries").Uint()
	if remaining > 0 && len(batch) == 0 {
		return nil, 0, fmt.Errorf("an empty batch with %d entries remaining", remaining)
	}
	return batch, remaining, nil
}

func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
