package manifest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tkit/datasets"
)

// row is one image of a manifest.
type row struct {
	Path, Label, Group, Split string
	Line                      int // from 1
}

// maxRow bounds a row in bytes, far above any path.
const maxRow = 1 << 20

var errLongRow = fmt.Errorf("a row is longer than %d bytes: is a quote left open?", maxRow)

// finish checks a row and brings it into canonical form.
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

// A parser parses a list, adds its rows, and returns the names of ignored
// columns or members. A duplicate of a used name is an error.
type parser func(f io.Reader, add func(row) error) (unused []string, err error)

// names lists the columns and members that are used.
var names = []string{"path", "label", "group", "split"}

// parseCSV parses comma-separated values as in RFC 4180, with a header.
func parseCSV(f io.Reader, add func(row) error) (unused []string, err error) {
	list, err := decoded(f)
	if err != nil {
		return nil, err
	}
	guard := &bounded{r: list, left: maxRow}
	c := csv.NewReader(guard)
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: want a header with the columns path and label")
	}
	if err != nil {
		return nil, err
	}
	places, unused, err := columns(header)
	if err != nil {
		return nil, err
	}
	for {
		guard.left = maxRow
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return unused, nil
		}
		if err != nil {
			return nil, err // a *csv.ParseError, which has the line
		}
		var r row
		for i, into := range []*string{&r.Path, &r.Label, &r.Group, &r.Split} {
			if at := places[i]; at >= 0 {
				*into = record[at]
			}
		}
		r.Line, _ = c.FieldPos(0)
		if r, err = r.finish(); err != nil {
			return nil, err
		}
		if err := add(r); err != nil {
			return nil, err
		}
	}
}

// maxShown bounds the bytes of a list shown in an error.
const maxShown = 200

// columns finds the positions of the names in a header, -1 for a missing one.
func columns(header []string) (places []int, unused []string, err error) {
	all := make([]string, len(header))
	for i, name := range header {
		all[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(names, all[i]) && all[i] != "" {
			unused = append(unused, strings.Clone(name))
		}
	}
	for _, name := range names {
		at := slices.Index(all, name)
		if at < 0 && (name == "path" || name == "label") {
			given := strings.Join(all, ",")
			if strings.Contains(given, "\r") {
				return nil, nil, errors.New("its lines end in carriage returns alone, as on an old Mac: save it with line feeds")
			}
			if len(given) > maxShown {
				given = strings.ToValidUTF8(given[:maxShown], "") + "…"
			}
			return nil, nil, fmt.Errorf("its header has no column %q, only %q: want path,label and optionally group,split, separated by commas", name, given)
		}
		if at >= 0 && slices.Contains(all[at+1:], name) {
			return nil, nil, fmt.Errorf("its header has the column %q twice", name)
		}
		places = append(places, at)
	}
	return places, unused, nil
}

// bounded ends an overlong row: package csv would read it whole.
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
