package datasets

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Entry is one example as recorded by a snapshot.
type Entry struct {
	Key    string
	Label  string
	Size   int64
	SHA256 [sha256.Size]byte
	// Group and Split are as in Example, and usually empty.
	Group string
	Split string
}

// Snapshot is the usable part of a dataset at one time, in ascending byte order
// of the keys. It is immutable and may be shared.
type Snapshot struct {
	// URI is where the dataset was found. It is not part of the digest: a
	// dataset that moves stays the same.
	URI     string
	Entries []Entry
	// Digest is "sha256:" and the hexadecimal SHA-256 over the entries.
	Digest string
}

// NewSnapshot makes a snapshot of entries, which it keeps. They must be in
// ascending order of their keys, without duplicates, and have labels.
func NewSnapshot(uri string, entries []Entry) (*Snapshot, error) {
	for i, e := range entries {
		if err := e.validate(); err != nil {
			return nil, fmt.Errorf("snapshot entry %d: %w", i+1, err)
		}
		if i > 0 {
			if err := ascending(entries[i-1].Key, e.Key); err != nil {
				return nil, fmt.Errorf("snapshot entry %d: %w", i+1, err)
			}
		}
	}
	return newSnapshot(uri, entries), nil
}

func newSnapshot(uri string, entries []Entry) *Snapshot {
	return &Snapshot{URI: uri, Entries: entries, Digest: digest(entries)}
}

func (e Entry) validate() error {
	switch {
	case e.Key == "":
		return errors.New("no key")
	case e.Label == "":
		return fmt.Errorf("%q has no label", e.Key)
	case !utf8.ValidString(e.Key) || !utf8.ValidString(e.Label) || !utf8.ValidString(e.Group):
		return fmt.Errorf("%q: the name, label or group is not valid UTF-8", e.Key)
	case e.Size < 0:
		return fmt.Errorf("%q has the size %d", e.Key, e.Size)
	}
	return checkSplit(e.Key, e.Split)
}

func checkSplit(key, split string) error {
	switch split {
	case "", Train, Validation, Test:
		return nil
	}
	return fmt.Errorf("%q has the split %q: want %s, %s, %s or none", key, split, Train, Validation, Test)
}

func ascending(before, after string) error {
	switch cmp.Compare(before, after) {
	case 0:
		return fmt.Errorf("%q appears twice", after)
	case 1:
		return fmt.Errorf("%q comes after %q: keys must be in ascending order", after, before)
	}
	return nil
}

// digest hashes the entries in an unambiguous form: a title, then for each
// entry the key and the label, each preceded by its length, the size and the
// SHA-256. Lengths and size are unsigned varints. If any entry has a group or a
// split, the title differs, and both follow in each entry, preceded by their
// lengths.
func digest(entries []Entry) string {
	h := sha256.New()
	version := versionOf(entries)
	fmt.Fprintf(h, "tkit snapshot %d\n", version)
	var b []byte
	for _, e := range entries {
		b = appendText(b[:0], e.Key)
		b = appendText(b, e.Label)
		b = binary.AppendUvarint(b, uint64(e.Size))
		b = append(b, e.SHA256[:]...)
		if version == versionGroups {
			b = appendText(b, e.Group)
			b = appendText(b, e.Split)
		}
		h.Write(b)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// The versions of a snapshot's digest and file. A snapshot that needs nothing
// newer has the first version, and so its original digest and bytes.
const (
	versionPlain  = 1
	versionGroups = 2 // entries have groups or splits
)

func versionOf(entries []Entry) int {
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Group != "" || e.Split != "" }) {
		return versionGroups
	}
	return versionPlain
}

// Labels lists the classes of the snapshot in ascending order.
func (s *Snapshot) Labels() []string {
	seen := make(map[string]bool)
	var labels []string
	for _, e := range s.Entries {
		if !seen[e.Label] {
			seen[e.Label] = true
			labels = append(labels, e.Label)
		}
	}
	slices.Sort(labels)
	return labels
}

// Without returns the snapshot without the given keys, each with the reason:
// undecodable images are found only in training, and the snapshot recorded with
// a model must contain the images actually used. Unknown keys are ignored.
func (s *Snapshot) Without(reasons map[string]string) *Snapshot {
	kept := make([]Entry, 0, len(s.Entries))
	for _, e := range s.Entries {
		if _, out := reasons[e.Key]; !out {
			kept = append(kept, e)
		}
	}
	return newSnapshot(s.URI, kept)
}

// byContent returns the indices of the entries ordered so that identical bytes
// are adjacent, and in key order among themselves. A map by hash would be
// several times as large.
func byContent(entries []Entry) []int32 {
	order := make([]int32, len(entries))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &entries[a].SHA256, &entries[b].SHA256
		if c := slices.Compare(x[:], y[:]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	return order
}
