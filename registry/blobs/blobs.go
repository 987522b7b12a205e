// Package blobs keeps content-addressed files: the bytes of a trunk, a head or
// a report stand once under the digest of what they are, whoever refers to
// them.
//
// Nothing half-written ever carries a digest's name, and nothing is handed out
// before its bytes were checked against its name. A blob never changes; it is
// removed only by Collect, and only when nobody refers to it or is about to.
package blobs

import (
	"context"
	"errors"
	"io"
	"iter"
)

// ErrCorrupt is wrapped by an error about a blob whose bytes are not what its
// digest says. Putting the right content again mends it.
var ErrCorrupt = errors.New("the stored bytes are not what the digest says")

// A Blob is content that a store holds.
type Blob struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
}

// A Store keeps blobs. All its methods may be called at once, from several
// goroutines and from several processes that share the store. A blob that is
// not there is an error that wraps fs.ErrNotExist.
type Store interface {
	// Put stores what r holds. When it returns, the blob is on stable storage
	// and readable; when it fails, nothing is. Content that is there already
	// is left as it is, unless it is corrupt: then it is replaced.
	Put(ctx context.Context, r io.Reader) (Blob, error)

	// PutFile stores the file at path, sharing its bytes on disk where the
	// store can. The file becomes read-only and must not be written to from
	// then on; it may be removed or renamed.
	PutFile(ctx context.Context, path string) (Blob, error)

	// Stat says what is stored under a digest, without reading it.
	Stat(ctx context.Context, d Digest) (Blob, error)

	// Open reads a blob from its beginning. Reading checks the bytes: where
	// they are not what the digest says, the Read that would have returned
	// io.EOF returns an error that wraps ErrCorrupt instead.
	Open(ctx context.Context, d Digest) (io.ReadCloser, error)

	// Verify checks that a blob is there and that its bytes are what the digest
	// says. It may rely on an earlier check in this process where nothing shows
	// that the blob has changed since.
	Verify(ctx context.Context, d Digest) error

	// All yields the blobs in no particular order. An error ends it.
	All(ctx context.Context) iter.Seq2[Blob, error]

	// Hold keeps every Collect, in any process, from removing anything until
	// release is called or the process ends. Whoever puts or looks up blobs
	// and then records a reference to them holds the store in between. It
	// waits while a Collect is at work.
	Hold(ctx context.Context) (release func(), err error)

	// Collect waits until nobody holds the store, asks which blobs are in use,
	// and removes the others, and what crashed writers left behind. With dry it
	// only says what it would remove. used is called once, with the store
	// closed to holders.
	Collect(ctx context.Context, dry bool, used func(context.Context) (map[Digest]bool, error)) (Collected, error)
}

// A LocalStore is a Store whose blobs are files of this machine. What maps files into
// memory, such as the weights of trunks, needs one.
type LocalStore interface {
	Store

	// Path returns the path of the file that holds a blob, its bytes checked as
	// Verify does. The file must not be written to.
	Path(ctx context.Context, d Digest) (string, error)
}

// Collected is what a Collect removed, or would remove.
type Collected struct {
	Blobs []Blob `json:"blobs"`
	// Leavings counts the unfinished files of crashed writers.
	Leavings int `json:"leavings"`
	// Bytes is the size of all of them.
	Bytes int64 `json:"bytes"`
}
