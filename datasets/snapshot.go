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

// Entry is one example as a snapshot recorded it.
type Entry struct {
	Key    string
	Label  string
	Size   int64
	SHA256 [sha256.Size]byte
}

// Snapshot is a dataset as it stood once: what of it can be used, in ascending
// byte order of the keys. It is immutable; share it freely.
type Snapshot struct {
	// URI is where the dataset was found. It is no part of the digest: a
	// dataset that moves stays the same.
	URI     string
	Entries []Entry
	// Digest is "sha256:" and the hexadecimal SHA-256 over the entries.
	Digest string
}

// NewSnapshot makes a snapshot of entries, which it keeps. They must stand in
// ascending order of their keys, without repetition, and have labels.
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
	case !utf8.ValidString(e.Key) || !utf8.ValidString(e.Label):
		return fmt.Errorf("%q: the name or label is not valid UTF-8", e.Key)
	case e.Size < 0:
		return fmt.Errorf("%q has the size %d", e.Key, e.Size)
	}
	return nil
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

// digest hashes the entries in a form without ambiguity: a title, then for
// each entry the key and the label led by their lengths, the size and the
// SHA-256. Lengths and size are unsigned varints.
func digest(entries []Entry) string {
	h := sha256.New()
	h.Write([]byte("tkit snapshot 1\n"))
	var b []byte
	for _, e := range entries {
		b = binary.AppendUvarint(b[:0], uint64(len(e.Key)))
		b = append(b, e.Key...)
		b = binary.AppendUvarint(b, uint64(len(e.Label)))
		b = append(b, e.Label...)
		b = binary.AppendUvarint(b, uint64(e.Size))
		b = append(b, e.SHA256[:]...)
		h.Write(b)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
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

// Without is the snapshot less the given keys, each with the reason why it is
// left out: an image that no decoder accepts is found out only in training,
// and the snapshot recorded with a model is of what was really used. Keys
// that the snapshot does not have are ignored.
func (s *Snapshot) Without(reasons map[string]string) *Snapshot {
	kept := make([]Entry, 0, len(s.Entries))
	for _, e := range s.Entries {
		if _, out := reasons[e.Key]; !out {
			kept = append(kept, e)
		}
	}
	return newSnapshot(s.URI, kept)
}

// byContent is the indices of the entries ordered so that identical bytes are
// neighbours, and in key order among themselves. It takes the place of a map
// by hash, which would be several times the size.
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
