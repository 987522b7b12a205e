// Package datasets knows what a dataset is: labelled images that a source
// lists (Source, Example), the list as it stood once, named by a digest
// (Snapshot), what is wrong with it (Report), and which of it trains and which
// judges (Split).
//
// Nothing here knows a kind of store. Each kind is a package below this one,
// and datasets/all lists them.
package datasets

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
)

// Example is one labelled image of a dataset.
type Example struct {
	// Key names the example in its source: a path with slashes, relative to
	// the source's root, unique in it and the same on every listing.
	Key string
	// Label is the class. It is empty where the source cannot tell, such as
	// for a file outside every class folder; a snapshot quarantines those.
	Label string
	// Unlabelled says why Label is empty and what to do, where the source knows
	// more than that no class folder is there.
	Unlabelled string
	// Group names what the example belongs to, such as the patient or the film
	// that an image is of. The images of one group stay on one side of a
	// split. Empty where nothing is known: then an image is its own group.
	Group string
	// Split is the side of a split that the source fixes the example to:
	// Train, Validation, Test, or "" for none.
	Split string
	// Open returns the encoded bytes from the start. It may be called any
	// number of times and concurrently; the caller closes what it returns.
	// Reading ends with an error when the context does.
	//
	// An example that was listed but must not or cannot be read has an Open
	// that returns the reason, so that it is reported by name instead of
	// missing. An error that wraps ErrUnavailable speaks of the whole store.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Source is where examples come from. sourcetest.Run states in tests what
// every implementation keeps to.
type Source interface {
	// URI names the source in a form that datasets/all opens again.
	URI() string
	// Examples lists the examples in ascending byte order of their keys. It
	// streams: an example is yielded as it is found, and memory does not grow
	// with the dataset. An error is yielded once, as the last element, and
	// means that the list is incomplete; the context's own error among them.
	// Every range over the result lists anew.
	//
	// A source that also is an io.Closer ends what it holds, such as
	// connections, when it is closed. A source that has a method Notes() []string
	// says by it, after a listing, how it read the examples where that is not
	// plain, a sentence each.
	Examples(ctx context.Context) iter.Seq2[Example, error]
}

// Close closes a source that holds anything.
func Close(src Source) error {
	if c, ok := src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// User is as whom the store of a source is read, by the name that the store
// itself knows: it alone decides what that user may read. It is "" where the
// store asks for no name beside this process's own, such as folders of this
// machine.
func User(src Source) string {
	if u, ok := src.(interface{ User() string }); ok {
		return u.User()
	}
	return ""
}

// The sides of a split.
const (
	Train      = "train"
	Validation = "validation"
	Test       = "test"
)

// ParseSplit is the side that a name in a dataset stands for: train, test,
// validation or its short forms val and valid, in any case.
func ParseSplit(name string) (split string, ok bool) {
	switch strings.ToLower(name) {
	case "train":
		return Train, true
	case "validation", "valid", "val":
		return Validation, true
	case "test":
		return Test, true
	}
	return "", false
}

// What goes wrong with a dataset, for errors.Is.
var (
	// ErrUnavailable marks an error of the store instead of one example: its
	// server is gone, or this process has no file descriptor left. Who meets
	// it stops, since going on would take a part of the dataset for the whole.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrRefused marks an example that tkit will not read, such as a link
	// that leaves the root or a named pipe.
	ErrRefused = errors.New("refused")
	// ErrChanged marks an example that is not what its snapshot recorded.
	ErrChanged = errors.New("changed since the snapshot")
	// ErrUndecodable marks an image that its decoder does not accept.
	ErrUndecodable = errors.New("undecodable")
	// ErrNoExamples marks a dataset without one usable example.
	ErrNoExamples = errors.New("no usable example")
)
