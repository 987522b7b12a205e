package datasets

import (
	"context"
	"crypto/sha256"
	"strings"

	"tkit/datasets/similarity"
)

// Look computes the fingerprint of an encoded image, for finding similar images.
// It returns false if the image is too small or too plain for one. An error
// that wraps ErrUndecodable quarantines the image; any other ends the snapshot.
// It is called concurrently and must not keep its argument. pictures.Printer
// provides one.
type Look func(ctx context.Context, encoded []byte) (p similarity.Print, ok bool, err error)

// DefaultMaxPrints bounds how many images are compared if the options set no
// bound. Prints and their comparison take 120 bytes each and are freed before
// the entries of the snapshot are laid out: the snapshot of a million images
// takes 240 to 244 MB with them and 237 MB without (bench/datasets).
const DefaultMaxPrints = 1 << 20

// nearFinder collects the fingerprints of the entries.
type nearFinder struct {
	most   int
	prints similarity.Prints
	of     []int32 // the entry of each print
	plain  []int32 // entries without one
	left   int     // number of entries beyond the bound
}

// add processes the finding of the next entry.
func (l *nearFinder) add(entry int, f *finding) {
	switch {
	case !f.printed:
		l.plain = append(l.plain, int32(entry))
	case l.prints.Len() == l.most:
		l.left++
	default:
		l.prints.Add(f.print)
		l.of = append(l.of, int32(entry))
	}
}

// nearGroup is a group of entries that look alike.
type nearGroup []struct {
	entry int32
	hash  uint64
}

// groups compares the prints and frees them.
func (l *nearFinder) groups(ctx context.Context) (groups []nearGroup, complete bool, err error) {
	found, complete, err := similarity.Default.Groups(ctx, &l.prints)
	for _, members := range found {
		group := make(nearGroup, len(members))
		for i, m := range members {
			group[i].entry, group[i].hash = l.of[m], l.prints.At(m).Hash
		}
		groups = append(groups, group)
	}
	l.prints, l.of = similarity.Prints{}, nil
	return groups, complete, err
}

// name makes this part of the report, without the entries in out, which are not
// used.
func (l *nearFinder) name(groups []nearGroup, entries []Entry, out map[int]bool) *NearDuplicates {
	n := &NearDuplicates{Left: l.left, Distance: similarity.Default.Distance, Correlation: similarity.Default.Correlation}
	for _, i := range l.plain {
		if !out[int(i)] {
			n.Plain = append(n.Plain, entries[i].Key)
		}
	}
	for _, group := range groups {
		var images []NearImage
		var first uint64
		seen := make(map[[sha256.Size]byte]int, len(group))
		for _, m := range group {
			e := &entries[m.entry]
			if out[int(m.entry)] {
				continue
			}
			if at, copied := seen[e.SHA256]; copied {
				images[at].Copies++
				continue
			}
			if len(images) == 0 {
				first = m.hash
			}
			seen[e.SHA256] = len(images)
			images = append(images, NearImage{Key: e.Key, Label: e.Label, Distance: similarity.Distance(first, m.hash)})
		}
		if len(images) > 1 {
			n.Groups = append(n.Groups, NearGroup{Images: images})
		}
	}
	return n
}

// undecodable returns the message of a Look's error without the sentinel.
func undecodable(err error) string {
	return strings.TrimPrefix(err.Error(), ErrUndecodable.Error()+": ")
}
