package datasets

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A snapshot's file is lines of JSON: a header, then one line an entry.
// Beside the digest the header has the number of entries, so that a file cut
// at a line's end is noticed with a clear message.

const (
	formatName    = "tkit-snapshot"
	formatVersion = 1
	maxLine       = 1 << 20 // far above any path
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
}

// Encode writes the snapshot as lines of JSON that DecodeSnapshot reads. Equal
// snapshots give equal bytes.
func (s *Snapshot) Encode(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(header{formatName, formatVersion, s.URI, len(s.Entries), s.Digest}); err != nil {
		return err
	}
	for _, entry := range s.Entries {
		if err := e.Encode(line{entry.Key, entry.Label, entry.Size, hex.EncodeToString(entry.SHA256[:])}); err != nil {
			return err
		}
	}
	return b.Flush()
}

// DecodeSnapshot reads what Encode wrote, to the end of r, and checks it
// against its digest. Memory follows what was read and not what the header
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
	if err := readLine(r, &h); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, fmt.Errorf("line 1: %w", err)
	}
	switch {
	case h.Format != formatName:
		return nil, fmt.Errorf("its format is %q and not %q", h.Format, formatName)
	case h.Version != formatVersion:
		return nil, fmt.Errorf("it is of version %d, this tkit reads version %d", h.Version, formatVersion)
	case h.Entries < 0:
		return nil, fmt.Errorf("it claims %d entries", h.Entries)
	}
	var entries gathering
	for {
		var l line
		err := readLine(r, &l)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", entries.count+2, err)
		}
		e := Entry{Key: l.Key, Label: l.Label, Size: l.Size}
		if hex.DecodedLen(len(l.SHA256)) != len(e.SHA256) || l.SHA256 != strings.ToLower(l.SHA256) {
			return nil, fmt.Errorf("line %d: the sha256 is not 64 lower-case hexadecimal digits", entries.count+2)
		}
		if _, err := hex.Decode(e.SHA256[:], []byte(l.SHA256)); err != nil {
			return nil, fmt.Errorf("line %d: the sha256: %w", entries.count+2, err)
		}
		entries.add(e)
	}
	if entries.count != h.Entries {
		return nil, fmt.Errorf("it has %d entries of %d: it was cut or added to", entries.count, h.Entries)
	}
	s, err := NewSnapshot(h.URI, entries.list())
	if err != nil {
		return nil, err
	}
	if s.Digest != h.Digest {
		return nil, fmt.Errorf("its entries have the digest %s and not %s: it was changed", s.Digest, h.Digest)
	}
	return s, nil
}

// readLine reads one line strictly into a struct; io.EOF means that there is
// none.
func readLine(r *bufio.Reader, into any) error {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && long == nil {
			return strict(part, into)
		}
		long = append(long, part...)
		switch {
		case err == nil:
			return strict(long, into)
		case errors.Is(err, bufio.ErrBufferFull):
			if len(long) > maxLine {
				return fmt.Errorf("longer than %d bytes", maxLine)
			}
		case errors.Is(err, io.EOF) && len(long) == 0:
			return io.EOF
		case errors.Is(err, io.EOF):
			return errors.New("no end of line: the file was cut")
		default:
			return err
		}
	}
}

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
