package datasets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A snapshot's file consists of lines of JSON: a header, then one line per
// entry. Besides the digest the header has the number of entries, so that a
// file cut at the end of a line gets a clear error.

const (
	formatName = "tkit-snapshot"
	maxLine    = 1 << 20 // far above any path
)

type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	URI     string `json:"uri"`
	Entries int    `json:"entries"`
	Digest  string `json:"digest"`
}

type line struct {
	Key    string `json:"key"`
	Label  string `json:"label"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Group  string `json:"group,omitempty"`
	Split  string `json:"split,omitempty"`
}

// Encode writes the snapshot as lines of JSON for DecodeSnapshot. Equal
// snapshots give equal bytes.
func (s *Snapshot) Encode(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(header{formatName, versionOf(s.Entries), s.URI, len(s.Entries), s.Digest}); err != nil {
		return err
	}
	var buffer []byte
	for i := range s.Entries {
		buffer = s.Entries[i].appendLine(buffer[:0])
		if _, err := b.Write(buffer); err != nil {
			return err
		}
	}
	return b.Flush()
}

// appendLine encodes a line like package json, but without garbage, which for a
// million entries would be as large as the entries.
func (e *Entry) appendLine(b []byte) []byte {
	b = appendJSON(append(b, `{"key":`...), e.Key)
	b = appendJSON(append(b, `,"label":`...), e.Label)
	b = strconv.AppendInt(append(b, `,"size":`...), e.Size, 10)
	b = hex.AppendEncode(append(b, `,"sha256":"`...), e.SHA256[:])
	b = append(b, '"')
	if e.Group != "" {
		b = appendJSON(append(b, `,"group":`...), e.Group)
	}
	if e.Split != "" {
		b = appendJSON(append(b, `,"split":`...), e.Split)
	}
	return append(b, "}\n"...)
}

func appendJSON(b []byte, s string) []byte {
	plain := func(r rune) bool { return r >= ' ' && r < 0x7f && r != '"' && r != '\\' }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string, written to memory
		panic(err)
	}
	return append(b, bytes.TrimSuffix(w.Bytes(), []byte("\n"))...)
}

// DecodeSnapshot parses Encode's output to the end of r and verifies its
// digest. It allocates memory for what was read, not for what the header
// claims.
func DecodeSnapshot(r io.Reader) (*Snapshot, error) {
	s, err := decode(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	return s, nil
}

func decode(r *bufio.Reader) (*Snapshot, error) {
	var h header
	first, err := readLine(r)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err == nil {
		err = strict(first, &h)
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	switch {
	case h.Format != formatName:
		return nil, fmt.Errorf("its format is %q, not %q", h.Format, formatName)
	case h.Version < versionPlain || h.Version > versionGroups:
		return nil, fmt.Errorf("its version is %d, but this tkit reads versions %d to %d", h.Version, versionPlain, versionGroups)
	case h.Entries < 0:
		return nil, fmt.Errorf("it claims %d entries", h.Entries)
	}
	var entries gathering
	for {
		e, key, err := readEntry(r, &entries.last)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", entries.count+2, err)
		}
		entries.add(e, key)
	}
	if entries.count != h.Entries {
		return nil, fmt.Errorf("it has %d entries instead of %d: the file was cut or extended", entries.count, h.Entries)
	}
	s, err := NewSnapshot(h.URI, entries.list())
	if err != nil {
		return nil, err
	}
	if needed := versionOf(s.Entries); needed != h.Version {
		return nil, fmt.Errorf("it claims version %d, but its entries have version %d: the file was changed", h.Version, needed)
	}
	if s.Digest != h.Digest {
		return nil, fmt.Errorf("the digest of its entries is %s, not %s: the file was changed", s.Digest, h.Digest)
	}
	return s, nil
}

// readEntry reads an entry's line; io.EOF means that there is none. The key is
// returned separately and is valid until the next read. Other names that equal
// those of the previous entry share its strings.
func readEntry(r *bufio.Reader, before *Entry) (e Entry, key []byte, err error) {
	b, err := readLine(r)
	if err != nil {
		return Entry{}, nil, err
	}
	if e, key, ok := plainEntry(b, before); ok {
		return e, key, nil
	}
	var l line
	if err := strict(b, &l); err != nil {
		return Entry{}, nil, err
	}
	e = Entry{Label: l.Label, Size: l.Size, Group: l.Group, Split: l.Split}
	return e, []byte(l.Key), decodeHash(&e.SHA256, []byte(l.SHA256))
}

func decodeHash(into *[sha256.Size]byte, digits []byte) error {
	if hex.DecodedLen(len(digits)) != len(into) || bytes.ContainsAny(digits, "ABCDEF") {
		return errors.New("the sha256 is not 64 lower-case hexadecimal digits")
	}
	if _, err := hex.Decode(into[:], digits); err != nil {
		return fmt.Errorf("the sha256: %w", err)
	}
	return nil
}

// plainEntry parses a line that is exactly as appendLine writes it and has no
// escapes. It saves most of the time and nearly all garbage.
func plainEntry(b []byte, before *Entry) (e Entry, key []byte, ok bool) {
	text := func(begin string) ([]byte, bool) {
		rest, found := bytes.CutPrefix(b, []byte(begin))
		end := bytes.IndexFunc(rest, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
		if !found || end < 0 || rest[end] != '"' {
			return nil, false
		}
		b = rest[end+1:]
		return rest[:end], true
	}
	named := func(begin, before string) (string, bool) {
		name, ok := text(begin)
		if string(name) == before {
			return before, ok
		}
		return string(name), ok
	}
	if key, ok = text(`{"key":"`); !ok {
		return e, nil, false
	}
	if e.Label, ok = named(`,"label":"`, before.Label); !ok {
		return e, nil, false
	}
	number, rest, found := bytes.Cut(b, []byte(`,"sha256":"`))
	digits, sized := bytes.CutPrefix(number, []byte(`,"size":`))
	if !found || !sized || len(rest) < 65 || rest[64] != '"' || decodeHash(&e.SHA256, rest[:64]) != nil {
		return e, nil, false
	}
	var err error
	if e.Size, err = strconv.ParseInt(string(digits), 10, 64); err != nil || strconv.FormatInt(e.Size, 10) != string(digits) {
		return e, nil, false
	}
	b = rest[65:]
	e.Group, _ = named(`,"group":"`, before.Group)
	e.Split, _ = named(`,"split":"`, before.Split)
	return e, key, string(b) == "}\n"
}

// readLine reads one line with its end; io.EOF means that there is none. The
// bytes are valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && long == nil {
			return part, nil
		}
		long = append(long, part...)
		switch {
		case err == nil:
			return long, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(long) > maxLine {
				return nil, fmt.Errorf("longer than %d bytes", maxLine)
			}
		case errors.Is(err, io.EOF) && len(long) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, errors.New("no end of line: the file was cut")
		default:
			return nil, err
		}
	}
}

// strict parses a line into a struct and requires all of its fields.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not an object of the expected members: %v", err)
	}
	if len(bytes.TrimSpace(b[d.InputOffset():])) > 0 {
		return errors.New("more than one object")
	}
	return nil
}
