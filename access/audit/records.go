package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Records implements Log.
func (l *Files) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		names, err := files(l.dir)
		if err != nil {
			yield(Record{}, fmt.Errorf("audit log: %w", err))
			return
		}
		for _, file := range names {
			if !recordsOf(ctx, filepath.Join(l.dir, file), yield) {
				return
			}
		}
	}
}

// recordsOf yields a file's records; false ends the sequence.
func recordsOf(ctx context.Context, path string, yield func(Record, error) bool) bool {
	fail := func(err error) bool {
		yield(Record{}, fmt.Errorf("audit log: %s: %w", filepath.Base(path), err))
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for {
		if err := ctx.Err(); err != nil {
			return fail(err)
		}
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return true // a line without an end is being written
		}
		if err != nil {
			return fail(err)
		}
		record, err := parseRecord(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return fail(err)
		}
		if !yield(record, nil) {
			return false
		}
	}
}
