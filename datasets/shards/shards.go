// Package shards is what the formats with many images in a file have in
// common: which files are the shards, in what order their records are listed,
// and how one record is opened without a read of its own.
//
// A record's key is SHARD!NNNNNNNNN/MEMBER: the shard's name, the record's
// number in it from 0, and its own name if it has one. So keys ascend as the
// shards are read, and nothing is sorted.
//
// A shard that is cut, damaged or missing ends the listing with an error that
// names it and the offset. Shards without records, and files beside the shards
// that are none, are listed and refused by name.
package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"strings"
	"time"

	"tkit/datasets"
	"tkit/datasets/files"
)

// Format knows the inside of shards. It is used concurrently.
type Format interface {
	// Name is that of the format in URIs.
	Name() string
	// Named says whether a file's name is that of a shard.
	Named(name string) bool
	// Begins says whether the first bytes of a file, HeadBytes of them if it has
	// as many, are those of a shard that is not empty.
	Begins(head []byte) bool
	// Scan yields the records of a shard in order. An error is yielded once,
	// as the last element.
	Scan(r *Reader) iter.Seq2[Record, error]
	// Unpack makes of the bytes at a packed place what Place.From counts in.
	Unpack(stored []byte, p Place) ([]byte, error)
	// Image takes the image out of what stands from Place.From on, and makes
	// sure that it is one whole record.
	Image(record []byte) ([]byte, error)
}

// Record is one image of a shard.
type Record struct {
	Member              string // its own name; may be empty
	Label, Group, Split string
	Place               Place
	// Refused is why it must not be read.
	Refused error
	// Unlabelled says why there is no Label, and what to do.
	Unlabelled string
	// Note says how the record was read, where that is not plain. It holds for
	// many records and names none.
	Note string
}

// Place is where an image is in a shard.
type Place struct {
	Offset, Length int64 // in the shard
	// Packed says that what stands there has to go through Format.Unpack.
	Packed bool
	// Shared says that one place holds several packed images: what Unpack
	// made of the last such places is kept.
	Shared bool
	// From and Size are the record in what Unpack made; Size is negative where
	// it goes to the end.
	From, Size int64
}

// Config says which shards are meant.
type Config struct {
	// File is the one shard, by its path in the tree, if there is but one.
	File string
	// Files is a pattern of path.Match for files in the root of the tree. By
	// default it is every file there whose name is that of a shard.
	Files string
	// Splits says that the names of shards tell the side of a split, as
	// datasets.SideIn reads them.
	Splits bool
	// Trust is how long the store's word that a shard has not changed holds,
	// one second by default. Within it, bytes that were read before are used
	// again without asking. If it is negative, every read asks.
	Trust time.Duration
	// Options are the format's own, for the URI.
	Options url.Values
}

// Source is the records of shards.
type Source struct {
	tree   files.Tree
	format Format
	config Config
	window *window
	opened *unpacked
	notes  *notes
}

var _ datasets.Source = (*Source)(nil)

// New returns the source of the shards in the root of a tree, which it closes
// when it is closed.
func New(tree files.Tree, f Format, c Config) *Source {
	if c.Trust == 0 {
		c.Trust = time.Second
	}
	return &Source{tree: tree, format: f, config: c, window: newWindow(tree, c.Trust), opened: new(unpacked), notes: new(notes)}
}

// URI is that of the folder or of the one file, with the options.
func (s *Source) URI() string {
	options := url.Values{"format": {s.format.Name()}}
	for name, values := range s.config.Options {
		options[name] = values
	}
	if s.config.Splits {
		options.Set("splits", "names")
	}
	if s.config.Files != "" && s.config.File == "" {
		options.Set("files", s.config.Files)
	}
	return files.URI(s.tree, s.config.File, options)
}

// User is as whom the tree is read.
func (s *Source) User() string { return files.User(s.tree) }

// MayRead asks for the shards that the keys are in, each once where they are in
// order.
func (s *Source) MayRead(ctx context.Context, keys iter.Seq[string]) error {
	return files.MayRead(ctx, s.tree, func(yield func(string) bool) {
		last := ""
		for key := range keys {
			// Shards stand in the root; a key goes on with !NNNNNNNNN.
			shard, _, _ := strings.Cut(key, "/")
			if len(shard) > 10 && shard[len(shard)-10] == '!' {
				shard = shard[:len(shard)-10]
			}
			if shard != last && !yield(shard) {
				return
			}
			last = shard
		}
	})
}

// Reading says how labels and sides are read. A format says by a method Reading
// where its labels are from.
func (s *Source) Reading() datasets.Reading {
	r := datasets.Reading{Labels: "the records", Deeper: "pack what is in FOLDER without the folders above"}
	if told, ok := s.format.(interface{ Reading() datasets.Reading }); ok {
		r = told.Reading()
	}
	r.Shards = true
	r.TakeSides = "name the shards for them and add the option splits=names"
	if s.config.Splits {
		r.Sides, r.TakeSides = "the names of the shards", ""
	}
	return r
}

// Close closes the tree and gives back the memory of what was read.
func (s *Source) Close() error {
	s.window.close()
	return s.tree.Close()
}

// Examples lists the records of all shards.
func (s *Source) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		shards, err := s.shards(ctx)
		if err != nil {
			yield(datasets.Example{}, err)
			return
		}
		for _, shard := range shards {
			shard.side, _ = datasets.SideIn(path.Base(shard.Path))
			if err := s.records(ctx, shard, yield); err != nil {
				if !errors.Is(err, errStopped) {
					yield(datasets.Example{}, err)
				}
				return
			}
		}
	}
}

// errStopped ends a listing whose consumer wants no more.
var errStopped = errors.New("stopped")

func (s *Source) records(ctx context.Context, shard *Shard, yield func(datasets.Example, error) bool) error {
	if shard.stray {
		open := func(ctx context.Context) (io.ReadCloser, error) { return nil, s.strays(ctx, shard) }
		if !yield(datasets.Example{Key: shard.Path, Open: open}, nil) {
			return errStopped
		}
		return nil
	}
	if err := s.readable(ctx, shard); err != nil {
		return fmt.Errorf("shard %s: %w", shard.Path, err)
	}
	r := &Reader{ctx: ctx, window: s.window, shard: shard}
	number, unlabelled := 0, ""
	for record, err := range s.format.Scan(r) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("shard %s: %w", shard.Path, err)
		}
		s.notes.add(record.Note)
		if record.Unlabelled == unlabelled { // a report keeps all of them
			record.Unlabelled = unlabelled
		}
		unlabelled = record.Unlabelled
		e := s.example(shard, number, record)
		if number++; number > maxRecords {
			return fmt.Errorf("shard %s has more than %d records: part it", shard.Path, maxRecords)
		}
		if !yield(e, nil) {
			return errStopped
		}
	}
	if number == 0 && !yield(datasets.Example{Key: shard.Path, Open: refusing(errEmpty)}, nil) {
		return errStopped
	}
	return nil
}

// errEmpty is what opening a shard without records gives: writers leave such
// files where they had nothing for a shard, and where they failed, so they must
// not pass without a word.
var errEmpty = fmt.Errorf("%w: the shard is empty", datasets.ErrRefused)

const maxRecords = 999_999_999

func (s *Source) example(shard *Shard, number int, r Record) datasets.Example {
	e := datasets.Example{Key: fmt.Sprintf("%s!%09d", shard.Path, number), Label: r.Label, Group: r.Group, Split: r.Split, Unlabelled: r.Unlabelled}
	if r.Member != "" {
		e.Key += "/" + r.Member
	}
	if e.Split == "" && s.config.Splits {
		e.Split = shard.side
	}
	if r.Refused != nil {
		e.Open = refusing(fmt.Errorf("%w: %w", datasets.ErrRefused, r.Refused))
		return e
	}
	place := r.Place
	e.Open = func(ctx context.Context) (io.ReadCloser, error) {
		rc, err := s.open(ctx, shard, place)
		if err != nil {
			return nil, fmt.Errorf("shard %s: %w", shard.Path, err)
		}
		return rc, nil
	}
	return e
}

func refusing(why error) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return nil, why }
}
