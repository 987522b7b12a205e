package manifest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"tkit/datasets"
)

// row is one image of a manifest.
type row struct {
	Path, Label, Group, Split string
	Line                      int // from 1
}

// maxRow bounds a row in bytes; it is far above any path.
const maxRow = 1 << 20

var errLongRow = fmt.Errorf("a row is longer than %d bytes: is a quote left open?", maxRow)

// finish checks what a row says and brings it into its one form.
func (r row) finish() (row, error) {
	if err := checkText(r.Line, r.Path, r.Label, r.Group, r.Split); err != nil {
		return r, err
	}
	for strings.HasPrefix(r.Path, "./") {
		r.Path = strings.TrimLeft(r.Path[2:], "/")
	}
	if r.Path == "" {
		return r, fmt.Errorf("line %d has no path", r.Line)
	}
	if r.Split != "" {
		split, ok := datasets.ParseSplit(r.Split)
		if !ok {
			return r, fmt.Errorf("line %d (%s) has the split %q: want train, validation, test or nothing", r.Line, r.Path, r.Split)
		}
		r.Split = split
	}
	return r, nil
}

// parseCSV reads comma-separated values as RFC 4180 has them, led by a header
// with the names of the columns.
func parseCSV(f io.Reader, add func(row) error) error {
	list, err := decoded(f)
	if err != nil {
		return err
	}
	guard := &bounded{r: list, left: maxRow}
	c := csv.NewReader(guard)
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty: want a header with the columns path and label")
	}
	if err != nil {
		return err
	}
	columns := slices.Clone(header)
	for i := range columns {
		columns[i] = strings.ToLower(strings.TrimSpace(columns[i]))
	}
	at := func(name string) int { return slices.Index(columns, name) }
	for _, name := range []string{"path", "label"} {
		if at(name) < 0 {
			return fmt.Errorf("its header has no column %q but %q: want path,label and perhaps group,split, parted by commas", name, strings.Join(columns, ","))
		}
	}
	for _, name := range []string{"path", "label", "group", "split"} {
		if i := at(name); i >= 0 && slices.Contains(columns[i+1:], name) {
			return fmt.Errorf("its header has the column %q twice", name)
		}
	}
	places := [...]int{at("path"), at("label"), at("group"), at("split")}
	for {
		guard.left = maxRow
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // a *csv.ParseError, which has the line
		}
		var r row
		for i, into := range []*string{&r.Path, &r.Label, &r.Group, &r.Split} {
			if at := places[i]; at >= 0 {
				*into = record[at]
			}
		}
		r.Line, _ = c.FieldPos(0)
		if r, err = r.finish(); err != nil {
			return err
		}
		if err := add(r); err != nil {
			return err
		}
	}
}

// bounded ends a row that never does: package csv reads one as long as it is.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errLongRow
	}
	return n, err
}

// parseJSON reads an object a line. Empty lines are passed over.
func parseJSON(f io.Reader, add func(row) error) error {
	list, err := decoded(f)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(list)
	lines.Buffer(make([]byte, 0, 1<<12), maxRow)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		// Package json would put another character for each byte of these.
		if !utf8.Valid(line) {
			return checkText(n, string(line))
		}
		var o struct {
			Path  string `json:"path"`
			Label text   `json:"label"`
			Group text   `json:"group"`
			Split string `json:"split"`
		}
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("line %d: %w: want an object with path and label a line", n, err)
		}
		r, err := row{o.Path, string(o.Label), string(o.Group), o.Split, n}.finish()
		if err != nil {
			return err
		}
		if err := add(r); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: %w", n+1, errLongRow)
	}
	if n == 0 && lines.Err() == nil {
		return errors.New("it is empty: want an object with path and label a line")
	}
	return lines.Err()
}

// text is a string, or a number as it is written: classes and patients are
// numbered as often as named.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("neither a text nor a number")
	}
	*t = text(n)
	return nil
}
