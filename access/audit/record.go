// Package audit keeps the log of decisions: lines of JSON that are only appended, each
// with the SHA-256 of the line before.
//
// A line that was changed, removed, moved or inserted breaks the chain, and Verify
// finds it. The end of the chain is also stored elsewhere (see [Head]), so that lines
// that were removed or added at the end are found, too. Every record is sealed with a
// key that is stored there: so a record that a crash left before the head was stored
// is distinguished from a forged one. A new file continues the chain of the one
// before.
//
// Whoever can write the log's folder and read the key can write a new chain. To
// detect that, regularly store a [Position] where that person cannot write; Verify
// compares the log with it.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A Record is one line. It never contains a token, a password or data.
type Record struct {
	// Sequence numbers the records of a log, 1, 2, 3 … Previous is the hash of
	// the previous record, "" for the first. Append sets both, and At.
	Sequence int64     `json:"seq"`
	Previous string    `json:"prev"`
	At       time.Time `json:"at"`

	// Who is the caller, As the system account of the process, and Store the user
	// that the store of the data is read as, where it has users of its own and is
	// open already.
	Who   string `json:"who"`
	As    string `json:"as,omitempty"`
	Store string `json:"store,omitempty"`
	// Action is what the caller was about to do; Right is the required right.
	Action string `json:"action"`
	Right  string `json:"right,omitempty"`
	// Object is what it is about, Data the dataset versions and Model the model
	// version that take part.
	Object  string   `json:"object,omitempty"`
	Data    []string `json:"data,omitempty"`
	Model   string   `json:"model,omitempty"`
	Purpose string   `json:"purpose,omitempty"`
	// Policy is the generation of the policy that decided, Grant the grant.
	Policy  int64   `json:"policy,omitempty"`
	Grant   int64   `json:"grant,omitempty"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	// Seal shows that the writer of the record had the key; see [Anchor]. It is set
	// by Append, and comes last.
	Seal string `json:"seal,omitempty"`
}

// An Outcome is the result of a decision.
type Outcome string

// The outcomes.
const (
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
)

// maxLine bounds a line, in bytes.
const maxLine = 1 << 20

// parseRecord reads a line without its end. It refuses unknown keys: tkit did not write
// them.
func parseRecord(line []byte) (Record, error) {
	var r Record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("not a record: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("not a record: text after the object")
	}
	switch {
	case r.Sequence < 1:
		return r, fmt.Errorf("not a record: its number is %d", r.Sequence)
	case r.Outcome != Allowed && r.Outcome != Denied:
		return r, fmt.Errorf("not a record: its outcome is %.40q", r.Outcome)
	case (r.Sequence == 1) != (r.Previous == ""):
		return r, fmt.Errorf("not a record: number %d has the previous hash %.80q", r.Sequence, r.Previous)
	}
	return r, nil
}

// after returns the line of a record that follows an anchor, with its end, and its
// position.
func (r Record) after(a Anchor) (line []byte, p Position, err error) {
	r.Sequence, r.Previous, r.At = a.Sequence+1, a.Hash, time.Now().UTC().Truncate(time.Microsecond)
	if line, err = r.encode(a); err != nil {
		return nil, p, err
	}
	return line, Position{r.Sequence, hashOf(line[:len(line)-1])}, nil
}

// encode writes a record as a line with its seal and its end.
func (r Record) encode(a Anchor) ([]byte, error) {
	var b bytes.Buffer
	r.Seal = ""
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, err
	}
	line := a.seal(b.Bytes())
	if len(line) > maxLine {
		return nil, fmt.Errorf("a record of %d bytes", len(line))
	}
	return line, nil
}

// hashOf returns the hash of a line without its end.
func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// A Position is a place in the chain: a record's number and hash. The zero
// value is before the first.
type Position struct {
	Sequence int64  `json:"seq"`
	Hash     string `json:"hash"`
}

// String returns the form that ParsePosition parses.
func (p Position) String() string { return fmt.Sprintf("%d:%s", p.Sequence, p.Hash) }

// ParsePosition reads NUMBER:HASH.
func ParsePosition(text string) (Position, error) {
	number, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || hash == "" {
		return Position{}, fmt.Errorf("%q: want NUMBER:HASH", text)
	}
	return Position{Sequence: n, Hash: hash}, nil
}

// ParsePositions reads several positions.
func ParsePositions(texts []string) ([]Position, error) {
	all := make([]Position, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = ParsePosition(text); err != nil {
			return nil, err
		}
	}
	return all, nil
}
