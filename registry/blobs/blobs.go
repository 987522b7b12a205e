// Package blobs stores content by its digest: the bytes of a trunk, a head or a report are
// stored once, however many versions refer to them.
//
// A blob becomes visible when it is complete, and its bytes are checked against its
// digest when it is read. Blobs are immutable. Only Collect removes them, and only those
// that nobody refers to or is about to refer to.
package blobs

import (
	"context"
	"errors"
	"io"
	"iter"
)

// ErrCorrupt is the error of a blob whose bytes do not match its digest. Putting the right
// content again repairs it.
var ErrCorrupt = errors.New("the stored bytes do not match the digest")

// A Blob is content in a store.
type Blob struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"` // bytes
}

// A Store stores blobs. Its methods may be called concurrently, from several goroutines
// and from several processes that share the store. The error of a blob that does not
// exist wraps fs.ErrNotExist.
type Store interface {
	// Put stores the content of r. When it returns nil, the blob is durable and can
	// be read; otherwise nothing is stored. Content that exists already is left as
	// it is, unless it is corrupt: then it is replaced.
	Put(ctx context.Context, r io.Reader) (Blob, error)

	// Stat returns the size of a blob without reading it.
	Stat(ctx context.Context, d Digest) (Blob, error)

	// Open reads a blob from its beginning. Reading checks the bytes: if they
	// do not match the digest, the last Read returns an error that wraps
	// ErrCorrupt instead of io.EOF.
	Open(ctx context.Context, d Digest) (io.ReadCloser, error)

	// Verify checks that a blob exists and that its bytes match its digest. It may
	// rely on an earlier check in this process if nothing indicates that the blob
	// has changed since.
	Verify(ctx context.Context, d Digest) error

	// All yields the blobs in no particular order. An error ends it.
	All(ctx context.Context) iter.Seq2[Blob, error]

	// Hold keeps every Collect, in any process, from removing anything until release
	// is called or the process ends. Callers that put or look up blobs and then
	// store references to them must hold the store in between. Hold waits while a
	// Collect runs.
	Hold(ctx context.Context) (release func(), err error)

	// Collect waits until nobody holds the store, calls used to get the blobs in use,
	// and removes all others and the unfinished files of crashed writers. With dry, it
	// only returns what it would remove. Used is called once, while nobody can hold
	// the store.
	Collect(ctx context.Context, dry bool, used func(context.Context) (map[Digest]bool, error)) (Collected, error)
}

// A LocalStore is a Store whose blobs are files on this machine. It is required to
// map files into memory, such as the weights of trunks.
type LocalStore interface {
	Store

	// Path returns the path of the file that holds a blob, its bytes checked as
	// Verify does. The file must not be written to.
	Path(ctx context.Context, d Digest) (string, error)
}

// Collected is what Collect removed, or would remove.
type Collected struct {
	Blobs []Blob `json:"blobs"`
	// Leavings counts the unfinished files of crashed writers.
	Leavings int `json:"leavings"`
	// Bytes is the size of all of these.
	Bytes int64 `json:"bytes"`
}
