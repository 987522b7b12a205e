package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"tkit/internal/printable"
)

// A Problem is a problem found by Verify.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Detail string `json:"detail"`
}

func (p Problem) String() string {
	if p.File == "" {
		return p.Detail
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Detail)
}

// A Verification is the result of Verify.
type Verification struct {
	Records  int64     `json:"records"`
	Last     Position  `json:"last"`
	Problems []Problem `json:"problems"`
}

// WriteText writes the problems, or that there are none.
func (v Verification) WriteText(w io.Writer) error {
	if len(v.Problems) == 0 {
		_, err := printable.Fprintf(w, "nothing was changed in %d decisions; the last is %s\n", v.Records, v.Last)
		return err
	}
	for _, p := range v.Problems {
		if _, err := printable.Fprintf(w, "%s\n", p); err != nil {
			return err
		}
	}
	return nil
}

// Err returns an error if there are problems.
func (v Verification) Err() error {
	if len(v.Problems) == 0 {
		return nil
	}
	return fmt.Errorf("audit log: %d found: the log in the home is not as tkit wrote it", len(v.Problems))
}

// Verify implements Log.
func (l *Files) Verify(ctx context.Context, known ...Position) (Verification, error) {
	v, err := l.verify(ctx, known)
	if err != nil {
		return v, fmt.Errorf("audit log: %w", err)
	}
	return v, nil
}

func (l *Files) verify(ctx context.Context, known []Position) (Verification, error) {
	head, unlock, err := l.acquire(ctx, unix.LOCK_SH)
	if err != nil {
		return Verification{}, err
	}
	defer unlock()
	names, err := files(l.dir)
	if err != nil {
		return Verification{}, err
	}
	c := chain{Verification: Verification{Problems: []Problem{}}, known: append(known, head.Position), anchor: head}
	for i, file := range names {
		if number(file) != i+1 && (i == 0 || number(file) != number(names[i-1])+1) {
			c.found(file, 0, "the file before it is missing")
		}
		if err := c.read(ctx, l.dir, file); err != nil {
			return c.Verification, err
		}
	}
	c.conclude(head.Position)
	return c.Verification, nil
}

// chain is a verification in progress.
type chain struct {
	Verification
	known  []Position
	anchor Anchor
}

func (c *chain) found(file string, line int, format string, values ...any) {
	c.Problems = append(c.Problems, Problem{file, line, fmt.Sprintf(format, values...)})
}

// read follows the chain through one file.
func (c *chain) read(ctx context.Context, dir, file string) error {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for n := 1; ctx.Err() == nil; n++ {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			c.found(file, n, "the line has no end: a crash left it, or it was cut")
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			c.found(file, n, "the line is longer than any record; what follows was not read")
			return nil
		case err != nil:
			return err
		}
		c.link(file, n, line[:len(line)-1])
	}
	return ctx.Err()
}

// link compares a line with the one before.
func (c *chain) link(file string, n int, line []byte) {
	r, err := parseRecord(line)
	if err != nil {
		c.found(file, n, "%v", err)
		return
	}
	switch before := c.Last; {
	case r.Sequence > before.Sequence+1:
		c.found(file, n, "records %d to %d are missing", before.Sequence+1, r.Sequence-1)
	case r.Sequence <= before.Sequence:
		c.found(file, n, "record %d follows record %d: it was moved or inserted", r.Sequence, before.Sequence)
	case r.Previous != before.Hash:
		c.found(file, n, "record %d is not the one that was written before record %d: it was changed", before.Sequence, r.Sequence)
	}
	if !c.anchor.genuine(r, line) {
		c.found(file, n, "record %d has no seal of this home: it was not written by tkit, or was changed", r.Sequence)
	}
	c.Records++
	c.Last = Position{r.Sequence, hashOf(line)}
	for _, k := range c.known {
		if k.Sequence == r.Sequence && k.Hash != c.Last.Hash {
			c.found(file, n, "record %d is not the one that was noted: it was changed", r.Sequence)
		}
	}
}

// conclude compares the end with the head.
func (c *chain) conclude(head Position) {
	for _, k := range c.known {
		if k.Sequence > c.Last.Sequence {
			c.found("", 0, "the log ends with record %d, and record %d was written: the end is missing", c.Last.Sequence, k.Sequence)
			return
		}
	}
	// One record may be ahead of the head: a crash came between the two.
	if c.Last.Sequence > head.Sequence+1 {
		c.found("", 0, "records %d to %d were not written by tkit", head.Sequence+1, c.Last.Sequence)
	}
}
