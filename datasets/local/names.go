package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
)

// names holds the names in one folder: a million names take little more than
// their bytes, while as many fs.DirEntry would take 200 MB. The system lists in
// no order, so all names are needed before the first is known.
type names struct {
	bytes []byte // every name, followed by a slash for a folder
	ends  []uint32
}

// readNames reads the names in a folder. It does not use root.FS, which
// supports only UTF-8 names.
func readNames(ctx context.Context, root *os.Root, dir string) (*names, error) {
	f, err := root.Open(native(dir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var n names
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			n.bytes = append(n.bytes, e.Name()...)
			if e.IsDir() {
				n.bytes = append(n.bytes, '/')
			}
			if len(n.bytes) > 1<<32-1 {
				return nil, errors.New("its names are longer than 4 GiB: divide it into several folders")
			}
			n.ends = append(n.ends, uint32(len(n.bytes)))
		}
		if errors.Is(err, io.EOF) {
			return &n, nil
		}
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// sorted yields the names in the order of the keys that begin with them: those
// of a folder continue with a slash, which sorts after some bytes in names, so
// that "a-b/x" precedes "a/x".
func (n *names) sorted() iter.Seq[string] {
	order := make([]uint32, len(n.ends))
	for i := range order {
		order[i] = uint32(i)
	}
	at := func(i uint32) []byte {
		begin := uint32(0)
		if i > 0 {
			begin = n.ends[i-1]
		}
		return n.bytes[begin:n.ends[i]]
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(at(a), at(b)) })
	return func(yield func(string) bool) {
		for _, i := range order {
			if !yield(string(bytes.TrimSuffix(at(i), []byte("/")))) {
				return
			}
		}
	}
}
