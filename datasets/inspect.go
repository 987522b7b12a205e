package datasets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"tkit/internal/guard"
	"tkit/internal/preprocessing"
	"tkit/internal/similarity"
)

// finding is what reading one example brought.
type finding struct {
	entry       Entry // without key and label
	format      preprocessing.Format
	width       int // in pixels; 0 where the file is of any format
	height      int
	detail      detail
	print       similarity.Print
	printed     bool         // print is one
	quarantined *Quarantined // without key and label; nil if the example can be used
	mismatch    *Mismatch    // of the list with the files, or nil
}

// guarded is inspect where a panic ends the snapshot with an error that names the
// example, and not the process.
func (r *reader) guarded(ctx context.Context, example Example, own []byte) (f finding, err error) {
	var failed error
	if p := guard.Call(func() error {
		f, failed = r.inspect(ctx, example, own)
		return nil
	}); p != nil {
		return finding{}, fmt.Errorf("%s: %w", example.Key, p)
	}
	return f, failed
}

// inspect reads an example and judges it. The error is only of what ends the
// whole snapshot.
func (r *reader) inspect(ctx context.Context, example Example, own []byte) (finding, error) {
	var mismatch *Mismatch
	quarantine := func(reason Reason, detail string) (finding, error) {
		return finding{quarantined: &Quarantined{Reason: reason, Detail: detail}, mismatch: mismatch}, nil
	}
	if !utf8.ValidString(example.Key) || !utf8.ValidString(example.Label) || !utf8.ValidString(example.Group) {
		return quarantine(Unreadable, "its name is not valid UTF-8")
	}
	encoded, release, err := r.read(ctx, example, own)
	defer release()
	errors.As(err, &mismatch)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return finding{}, ctx.Err()
	case errors.Is(err, ErrUnavailable):
		return finding{}, fmt.Errorf("%s: %w", example.Key, err)
	case r.allOrNothing && errors.Is(err, fs.ErrPermission):
		return finding{}, fmt.Errorf("%s: the dataset is used whole or not at all: %w", example.Key, denied(err))
	case errors.Is(err, fs.ErrPermission):
		return quarantine(Denied, err.Error())
	case errors.Is(err, ErrRefused):
		return quarantine(Refused, strings.TrimPrefix(err.Error(), ErrRefused.Error()+": "))
	case errors.Is(err, errTooLong):
		return quarantine(TooLarge, err.Error())
	default:
		return quarantine(Unreadable, err.Error())
	}
	if example.Label == "" {
		return quarantine(Unlabelled, cmp.Or(example.Unlabelled, "it is in no class folder"))
	}
	if blank(example.Label) {
		return quarantine(Unlabelled, "its label has nothing but blanks")
	}
	if len(encoded) == 0 {
		return quarantine(Empty, "")
	}
	f := finding{entry: Entry{Size: int64(len(encoded)), SHA256: sha256.Sum256(encoded)}}
	if r.anyFile {
		return f, nil
	}
	f.format, f.width, f.height, err = preprocessing.Sniff(encoded)
	if err == nil {
		if pixels := int64(f.width) * int64(f.height); pixels > r.maxPixels {
			f.quarantined = &Quarantined{Reason: TooManyPixels, Detail: fmt.Sprintf("%d×%d is more than %d pixels", f.width, f.height, r.maxPixels)}
			return f, nil
		}
		err = preprocessing.Check(encoded)
	}
	if err != nil {
		reason := reasonOf(err)
		f.quarantined = &Quarantined{Reason: reason, Detail: strings.TrimSuffix(err.Error(), ": "+string(reason))}
		return f, nil
	}
	if err := r.examine(ctx, encoded, &f); err != nil {
		return finding{}, err
	}
	if r.look != nil {
		f.print, f.printed, err = r.look(ctx, encoded)
		switch {
		case errors.Is(err, ErrUndecodable):
			f.quarantined = &Quarantined{Reason: Undecodable, Detail: undecodable(err)}
		case err != nil:
			return finding{}, fmt.Errorf("%s: %w", example.Key, err)
		}
	}
	return f, nil
}

// widePixels is the size above which images are decoded for their details one at
// a time, so that the memory for it is that of one.
const widePixels = 4 << 20

// examine finds out what a complete image has beyond 8 bits of opaque colour.
func (r *reader) examine(ctx context.Context, encoded []byte, f *finding) error {
	f.detail.header = preprocessing.DetailsOf(encoded)
	if !f.detail.decodes() {
		return nil
	}
	if int64(f.width)*int64(f.height) > widePixels {
		select {
		case r.wide <- struct{}{}:
			defer func() { <-r.wide }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.detail.measure(encoded)
	return nil
}

// reasonOf turns what the sniffer found into a reason.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, preprocessing.ErrUnsupported):
		return NotAnImage
	case errors.Is(err, preprocessing.ErrTruncated):
		return Truncated
	case errors.Is(err, preprocessing.ErrVariant):
		return Undecodable
	case errors.Is(err, preprocessing.ErrTooCostly):
		return TooCostly
	default:
		return Corrupt
	}
}

// errTooLong marks a file above the bound in bytes.
var errTooLong = errors.New("too long")

// keptBytes is the length of a worker's own buffer. A longer file is read into
// a buffer of its own, by one worker at a time, so that the memory of a
// snapshot stays near workers × keptBytes + MaxBytes whatever the files are.
const keptBytes = 1 << 20

// reader reads files whole within bounds.
type reader struct {
	maxPixels int64
	maxBytes  int64
	anyFile   bool // SnapshotOptions.AnyFile
	look      Look // SnapshotOptions.Look
	// allOrNothing is SnapshotOptions.AllOrNothing.
	allOrNothing bool
	long         chan struct{} // held by the worker that reads a long file
	wide         chan struct{} // held by the worker that decodes a wide image
}

func newReader(o SnapshotOptions) *reader {
	return &reader{maxPixels: o.MaxPixels, maxBytes: o.MaxBytes, anyFile: o.AnyFile, look: o.Look, allOrNothing: o.AllOrNothing, long: make(chan struct{}, 1), wide: make(chan struct{}, 1)}
}

// read returns the bytes of an example. They are valid until release is
// called, which must be called, and until own is used again.
func (r *reader) read(ctx context.Context, example Example, own []byte) (b []byte, release func(), err error) {
	release = func() {}
	rc, err := example.Open(ctx)
	if err != nil {
		return nil, release, err
	}
	defer func() {
		if e := rc.Close(); err == nil {
			err = e
		}
	}()
	n, more, err := fill(rc, own)
	if err != nil || !more {
		return own[:n], release, err
	}
	select {
	case r.long <- struct{}{}:
		release = func() { <-r.long }
	case <-ctx.Done():
		return nil, release, ctx.Err()
	}
	var w bytes.Buffer
	w.Write(own)
	if _, err := w.ReadFrom(io.LimitReader(rc, r.maxBytes+1-int64(n))); err != nil {
		return nil, release, err
	}
	if int64(w.Len()) > r.maxBytes {
		return nil, release, fmt.Errorf("more than %d bytes: %w", r.maxBytes, errTooLong)
	}
	return w.Bytes(), release, nil
}

// fill reads until b is full or the file ends; more says that it did not end.
// Unlike io.ReadFull it keeps an unexpected end that the reader itself reports
// apart from the ordinary one.
func fill(r io.Reader, b []byte) (n int, more bool, err error) {
	for n < len(b) {
		m, err := r.Read(b[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return n, false, nil
		case err != nil:
			return n, false, err
		}
	}
	return n, true, nil
}
