package webhdfs

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"tkit/internal/hdfs"
)

// fileStatuses is the API's list of the files in a directory.
type fileStatuses struct {
	FileStatus []fileStatus
}

// ReadDir lists a directory in the NameNode's order, a batch at a time:
// ascending by the names' bytes as signed values, which for ASCII is the usual
// order. An error is yielded once, last, and means that the list is incomplete.
func (c *Client) ReadDir(ctx context.Context, dir string) iter.Seq2[hdfs.Info, error] {
	return hdfs.List(func(after string) ([]hdfs.Info, bool, error) {
		batch, remaining, err := c.batch(ctx, dir, after)
		return batch, remaining != 0, err
	})
}

// batch lists the entries after a name, as many as the server sends, and
// returns how many remain.
func (c *Client) batch(ctx context.Context, dir, after string) (batch []hdfs.Info, remaining int64, err error) {
	op := operation{verb: "readdir", name: "LISTSTATUS_BATCH", path: dir}
	if after != "" {
		op.query = map[string]string{"startAfter": after}
	}
	err = c.call(ctx, op, func(a answer) error {
		var body struct {
			DirectoryListing *struct {
				PartialListing   struct{ FileStatuses *fileStatuses }
				RemainingEntries int64
			}
		}
		if err := a.decode(&body); err != nil {
			return err
		}
		if body.DirectoryListing == nil {
			return fmt.Errorf("%w: no DirectoryListing", errProtocol)
		}
		remaining = body.DirectoryListing.RemainingEntries
		batch, err = entries(body.DirectoryListing.PartialListing.FileStatuses, after)
		if err == nil && remaining > 0 && len(batch) == 0 {
			err = fmt.Errorf("%w: an empty batch with %d entries remaining", errProtocol, remaining)
		}
		return err
	})
	if unsupported(err) && after == "" {
		batch, err = c.whole(ctx, dir)
		return batch, 0, err
	}
	return batch, remaining, err
}

// whole lists a directory in one answer, for servers before Hadoop 3.
// mostAnswer bounds its size.
func (c *Client) whole(ctx context.Context, dir string) (batch []hdfs.Info, err error) {
	err = c.call(ctx, operation{verb: "readdir", name: "LISTSTATUS", path: dir}, func(a answer) error {
		var body struct{ FileStatuses *fileStatuses }
		if err := a.decode(&body); err != nil {
			return err
		}
		batch, err = entries(body.FileStatuses, "")
		return err
	})
	return batch, err
}

// entries checks a server's list of a directory: plain names, no duplicates.
func entries(list *fileStatuses, after string) ([]hdfs.Info, error) {
	if list == nil {
		return nil, fmt.Errorf("%w: no FileStatuses", errProtocol)
	}
	infos := make([]hdfs.Info, 0, len(list.FileStatus))
	for _, s := range list.FileStatus {
		switch name := s.PathSuffix; {
		case name == "" && len(list.FileStatus) == 1: // the path is a file
			return nil, fmt.Errorf("%w: not a directory", fs.ErrInvalid)
		case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
			return nil, fmt.Errorf("%w: invalid name %q", errProtocol, name)
		case after != "" && compareNames(name, after) <= 0:
			return nil, fmt.Errorf("%w: %q is listed after %q", errProtocol, name, after)
		default:
			i, err := s.info(name)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", name, err)
			}
			infos, after = append(infos, i), name
		}
	}
	return infos, nil
}

// compareNames orders names like a NameNode: by their bytes as signed numbers.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(int8(a[i]), int8(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}
