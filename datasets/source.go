// Package datasets defines datasets: labelled images listed by a source
// (Source, Example), the immutable list at one time with its digest (Snapshot),
// its problems (Report), and its division into training, validation and test
// (Split).
//
// This package is independent of the kinds of stores. Each kind is a package
// below this one, and datasets/all lists them.
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
	// Key identifies the example in its source: a path with slashes, relative
	// to the source's root, unique, and the same on every listing.
	Key string
	// Label is the class. It is empty if the source cannot determine it, such
	// as for a file outside every class folder; a snapshot quarantines such
	// examples.
	Label string
	// Unlabelled says why Label is empty and what to do, if the source knows
	// more than that there is no class folder.
	Unlabelled string
	// Group identifies what the example belongs to, such as a patient or a
	// film. The images of one group stay on one side of a split. If empty, an
	// image is its own group.
	Group string
	// Split is the side of a split that the source fixes the example to: Train,
	// Validation, Test, or "" for none.
	Split string
	// Open returns the encoded bytes from the start. It may be called
	// repeatedly and concurrently; the caller closes the result. Reading fails
	// when the context ends.
	//
	// For an example that was listed but cannot or must not be read, Open
	// returns the reason, so that the example is reported rather than missing.
	// An error that wraps ErrUnavailable concerns the whole store.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Source lists the examples of a dataset. sourcetest.Run tests the contract of
// every implementation.
type Source interface {
	// URI identifies the source in a form that datasets/all can open again.
	URI() string
	// Examples lists the examples in ascending byte order of their keys. It
	// streams: an example is yielded when it is found, and memory does not grow
	// with the dataset. An error, including the context's, is yielded once, as
	// the last element, and means that the list is incomplete. Every range over
	// the result lists again.
	//
	// A source that is also an io.Closer releases its resources, such as
	// connections, when it is closed. A source may have a method Notes()
	// []string, which returns, after a listing, sentences about unusual ways in
	// which it read the examples.
	Examples(ctx context.Context) iter.Seq2[Example, error]
}

// Close closes a source that holds resources.
func Close(src Source) error {
	if c, ok := src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// User returns the identity used to read a source's store, as the store knows
// it; the store alone decides what that user may read. It is "" if the store
// has no identity other than this process's, such as local folders.
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

// ParseSplit parses a side named in a dataset: train, test, validation or its
// short forms val and valid, in any case.
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

// Errors of datasets, for errors.Is.
var (
	// ErrUnavailable marks an error of the store rather than of one example:
	// its server is unreachable, or this process has no file descriptors left.
	// The caller must stop, because continuing would mistake a part of the
	// dataset for the whole.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrRefused marks an example that tkit refuses to read, such as a link
	// that leaves the root or a named pipe.
	ErrRefused = errors.New("refused")
	// ErrChanged marks an example that differs from its snapshot.
	ErrChanged = errors.New("changed since the snapshot")
	// ErrUndecodable marks an image that its decoder rejects.
	ErrUndecodable = errors.New("undecodable")
	// ErrNoExamples marks a dataset without a usable example.
	ErrNoExamples = errors.New("no usable example")
)
