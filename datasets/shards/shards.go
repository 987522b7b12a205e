// Package shards implements what the formats with many images in a file have in
// common: finding the shards, listing their records in order, and opening
// records without a separate read for each.
//
// A record's key is SHARD!NNNNNNNNN/MEMBER: the shard's name, the record's
// number in it from 0, and its own name if it has one. So keys ascend in the
// order of the shards, and nothing is sorted.
//
// A shard that is cut, damaged or missing ends the listing with an error that
// contains its name and the offset. Empty shards, and files next to the shards
// that are not shards, are listed and refused by name.
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

// Format interprets shards. It is used concurrently.
type Format interface {
	// Name returns the format's name in URIs.
	Name() string
	// Named reports whether a file's name is that of a shard.
	Named(name string) bool
	// Begins reports whether the first HeadBytes bytes of a file, or all if it
	// is shorter, are those of a non-empty shard.
	Begins(head []byte) bool
	// Scan yields the records of a shard in order. An error is yielded once, as
	// the last element.
	Scan(r *Reader) iter.Seq2[Record, error]
	// Unpack uncompresses the bytes at a packed place. Place.From counts in its
	// result.
	Unpack(stored []byte, p Place) ([]byte, error)
	// Image extracts the image from the data at Place.From, and checks that it
	// is one complete record.
	Image(record []byte) ([]byte, error)
}

// Record is one image of a shard.
type Record struct {
	Member              string // its own name; may be empty
	Label, Group, Split string
	Place               Place
	// Refused says why it must not be read.
	Refused error
	// Unlabelled says why there is no Label, and what to do.
	Unlabelled string
	// Note describes an unusual way in which the record was read. It applies to
	// many records and names none.
	Note string
}

// Place is the position of an image in a shard.
type Place struct {
	Offset, Length int64 // in the shard
	// Packed means that the data must be passed through Format.Unpack.
	Packed bool
	// Shared means that the place holds several packed images: Unpack's results
	// for the latest such places are cached.
	Shared bool
	// From and Size are the record in Unpack's result. A negative Size means up
	// to the end.
	From, Size int64
}

// Config selects the shards.
type Config struct {
	// File is the only shard, by its path in the tree, if it is given.
	File string
	// Files is a pattern of path.Match for files in the root of the tree. The
	// default is every file there with a shard's name.
	Files string
	// Splits means that the names of shards give the side of a split, by
	// datasets.SideIn.
	Splits bool
	// Trust is how long a check that a shard has not changed remains valid, one
	// second by default. Within it, bytes read before are reused without a
	// check. If it is negative, every read checks.
	Trust time.Duration
	// Options are the format's own options, for the URI.
	Options url.Values
}

// Source lists the records of shards.
type Source struct {
	tree   files.Tree
	format Format
	config Config
	window *window
	opened *unpacked
	notes  *notes
}

var _ datasets.Source = (*Source)(nil)

// New returns the source of the shards in the root of a tree, and closes the
// tree with the source.
func New(tree files.Tree, f Format, c Config) *Source {
	if c.Trust == 0 {
		c.Trust = time.Second
	}
	return &Source{tree: tree, format: f, config: c, window: newWindow(tree, c.Trust), opened: new(unpacked), notes: new(notes)}
}

// URI returns the URI of the folder or the single file, with the options.
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

// User returns the identity used to read the tree.
func (s *Source) User() string { return files.User(s.tree) }

// MayRead checks the shards that contain the keys, each once if the keys are in
// order.
func (s *Source) MayRead(ctx context.Context, keys iter.Seq[string]) error {
	return files.MayRead(ctx, s.tree, func(yield func(string) bool) {
		last := ""
		for key := range keys {
			// Shards are in the root; a key continues with !NNNNNNNNN.
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

// Reading describes how labels and sides are derived. A format may describe its
// labels by a method Reading.
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

// Close closes the tree and frees the memory of what was read.
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

// errStopped ends a listing whose consumer stops.
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
		if record.Unlabelled == unlabelled { // shared, because a report keeps all of them
			record.Unlabelled = unlabelled
		}
		unlabelled = record.Unlabelled
		e := s.example(shard, number, record)
		if number++; number > maxRecords {
			return fmt.Errorf("shard %s has more than %d records: split it", shard.Path, maxRecords)
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

// errEmpty is the error of opening a shard without records: writers leave such
// files if they had nothing for a shard, and if they failed, so they must be
// reported.
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
