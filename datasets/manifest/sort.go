package manifest

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
)

// sortBytes bounds the memory of rows before they are written to the file.
const sortBytes = 16 << 20

// sorter sorts rows by path, then by line, in bounded memory: sorted runs are
// appended to a temporary file and merged.
type sorter struct {
	limit int // bytes of rows in memory
	rows  []row
	bytes int
	file  *os.File // nil if one run is enough
	runs  []int64  // the end of each run in the file
}

func (s *sorter) add(r row) error {
	// A row's strings may share memory with a longer line.
	r.Path, r.Label, r.Group = strings.Clone(r.Path), strings.Clone(r.Label), strings.Clone(r.Group)
	s.rows = append(s.rows, r)
	s.bytes += 128 + len(r.Path) + len(r.Label) + len(r.Group)
	if s.bytes < s.limit {
		return nil
	}
	return s.spill()
}

func (s *sorter) sort() {
	slices.SortFunc(s.rows, compareRows)
}

func compareRows(a, b row) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
}

// spill writes the rows in memory as a run.
func (s *sorter) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "tkit-manifest-")
		if err != nil {
			return fmt.Errorf("sorting it: %w", err)
		}
		s.file = f
		// The file is unlinked now, so it disappears when it is closed, however
		// the process ends.
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("sorting it: %w", err)
		}
	}
	s.sort()
	w := bufio.NewWriter(s.file)
	var b []byte
	for _, r := range s.rows {
		b = b[:0]
		for _, text := range []string{r.Path, r.Label, r.Group, r.Split} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		b = binary.AppendUvarint(b, uint64(r.Line))
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("sorting it: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sorting it: %w", err)
	}
	end, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("sorting it: %w", err)
	}
	s.runs = append(s.runs, end)
	clear(s.rows)
	s.rows, s.bytes = s.rows[:0], 0
	return nil
}

// sorted yields all rows. An error comes last.
func (s *sorter) sorted() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		if s.file == nil {
			s.sort()
			for _, r := range s.rows {
				if !yield(r, nil) {
					return
				}
			}
			return
		}
		if err := s.merge(yield); err != nil {
			yield(row{}, fmt.Errorf("sorting it: %w", err))
		}
	}
}

func (s *sorter) merge(yield func(row, error) bool) error {
	if err := s.spill(); err != nil {
		return err
	}
	s.rows = nil
	var runs runHeap
	begin := int64(0)
	for _, end := range s.runs {
		r := &run{r: bufio.NewReaderSize(io.NewSectionReader(s.file, begin, end-begin), 1<<16)}
		begin = end
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			runs = append(runs, r)
		}
	}
	heap.Init(&runs)
	for len(runs) > 0 {
		if !yield(runs[0].row, nil) {
			return nil
		}
		more, err := runs[0].next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&runs, 0)
		default:
			heap.Pop(&runs)
		}
	}
	return nil
}

func (s *sorter) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// run is a sorted run being read.
type run struct {
	r   *bufio.Reader
	row row
}

func (r *run) next() (more bool, err error) {
	if _, err := r.r.Peek(1); errors.Is(err, io.EOF) {
		return false, nil
	}
	for _, into := range []*string{&r.row.Path, &r.row.Label, &r.row.Group, &r.row.Split} {
		n, err := binary.ReadUvarint(r.r)
		if err != nil {
			return false, err
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r.r, b); err != nil {
			return false, err
		}
		*into = string(b)
	}
	line, err := binary.ReadUvarint(r.r)
	r.row.Line = int(line)
	return err == nil, err
}

type runHeap []*run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return compareRows(h[i].row, h[j].row) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}
