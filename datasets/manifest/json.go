package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// parseJSON reads one object per line. Empty lines are skipped.
func parseJSON(f io.Reader, add func(row) error) (unused []string, err error) {
	list, err := decoded(f)
	if err != nil {
		return nil, err
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
		// Package json would replace each of these bytes by another character.
		if !utf8.Valid(line) {
			return nil, checkText(n, string(line))
		}
		r, others, err := parseObject(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: want one object with path and label per line", n, err)
		}
		for _, name := range others {
			if len(unused) < maxUnused && !slices.Contains(unused, name) {
				unused = append(unused, name)
			}
		}
		r.Line = n
		if r, err = r.finish(); err != nil {
			return nil, err
		}
		if err := add(r); err != nil {
			return nil, err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: %w", n+1, errLongRow)
	}
	if n == 0 && lines.Err() == nil {
		return nil, errors.New("it is empty: want one object with path and label per line")
	}
	return unused, lines.Err()
}

// maxUnused bounds how many names of unused members are kept.
const maxUnused = 16

// parseObject parses one object. Names are case-insensitive; a duplicate name
// is an error.
func parseObject(line []byte) (r row, others []string, err error) {
	var whole map[string]json.RawMessage // gives better errors than the tokens for what is not an object
	if err := json.Unmarshal(line, &whole); err != nil {
		if not := (*json.UnmarshalTypeError)(nil); errors.As(err, &not) {
			err = fmt.Errorf("it is a %s", not.Value)
		}
		return row{}, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return row{}, nil, err
	}
	seen := make([]bool, len(names))
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return row{}, nil, err
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return row{}, nil, err
		}
		i := slices.Index(names, strings.ToLower(name))
		if i < 0 {
			others = append(others, name)
			continue
		}
		if seen[i] {
			return row{}, nil, fmt.Errorf("it has the member %q twice", names[i])
		}
		seen[i] = true
		into := []*string{&r.Path, &r.Label, &r.Group, &r.Split}[i]
		if *into, err = textOf(value); err != nil {
			return row{}, nil, fmt.Errorf("its %s is %s, neither a string nor a number", names[i], shownJSON(value))
		}
	}
	return r, others, nil
}

// textOf returns a string, or a number as written: classes and patients are
// often numbered. Null is an error.
func textOf(value json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(value, &s); err == nil {
		return s, nil
	}
	var n json.Number
	err := json.Unmarshal(value, &n)
	return n.String(), err
}

func shownJSON(value json.RawMessage) string {
	if len(value) > maxShown {
		return strings.ToValidUTF8(string(value[:maxShown]), "") + "…"
	}
	return string(value)
}
