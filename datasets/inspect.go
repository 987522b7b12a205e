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

	"tkit/datasets/similarity"
	"tkit/internal/guard"
	"tkit/internal/preprocessing"
)

// finding is the result of reading one example.
type finding struct {
	entry       Entry // without key and label
	format      preprocessing.Format
	width       int // in pixels; 0 for files of any format
	height      int
	detail      detail
	print       similarity.Print
	printed     bool         // print is set
	quarantined *Quarantined // without key and label; nil if the example is usable
	mismatch    *Mismatch    // between the list and the files, or nil
}

// guarded is inspect, but a panic becomes an error that names the example and
// ends the snapshot rather than the process.
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

// inspect reads and checks an example. It returns an error only if the whole
// snapshot must end.
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
	if err != nil {
		reason, detail, err := r.unread(ctx, example.Key, err)
		if err != nil {
			return finding{}, err
		}
		return quarantine(reason, detail)
	}
	if example.Label == "" {
		return quarantine(Unlabelled, cmp.Or(example.Unlabelled, "it is not in a class folder"))
	}
	if blank(example.Label) {
		return quarantine(Unlabelled, "its label is blank")
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

// unread returns why an example that cannot be read is quarantined. It returns
// an error if the whole snapshot must end.
func (r *reader) unread(ctx context.Context, key string, err error) (Reason, string, error) {
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.Is(err, ErrUnavailable):
		return "", "", fmt.Errorf("%s: %w", key, err)
	case r.allOrNothing && errors.Is(err, fs.ErrPermission):
		return "", "", fmt.Errorf("%s: the dataset must be readable as a whole: %w", key, denied(err))
	case errors.Is(err, fs.ErrPermission):
		return Denied, err.Error(), nil
	case errors.Is(err, ErrRefused):
		return Refused, strings.TrimPrefix(err.Error(), ErrRefused.Error()+": "), nil
	case errors.Is(err, errTooLong):
		return TooLarge, err.Error(), nil
	}
	return Unreadable, err.Error(), nil
}

// widePixels is the size above which images are decoded for their details one
// at a time, so that only one is in memory.
const widePixels = 4 << 20

// examine determines the details of a complete image.
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

// reasonOf maps an error of package preprocessing to a reason.
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

// errTooLong means that a file exceeds the bound in bytes.
var errTooLong = errors.New("too long")

// keptBytes is the size of a worker's buffer. A longer file is read into a
// separate buffer, by one worker at a time, so that a snapshot's memory stays
// near workers × keptBytes + MaxBytes.
const keptBytes = 1 << 20

// reader reads whole files within bounds.
type reader struct {
	maxPixels int64
	maxBytes  int64
	anyFile   bool // SnapshotOptions.AnyFile
	look      Look // SnapshotOptions.Look
	// allOrNothing is SnapshotOptions.AllOrNothing.
	allOrNothing bool
	long         chan struct{} // held by the worker reading a long file
	wide         chan struct{} // held by the worker decoding a wide image
}

func newReader(o SnapshotOptions) *reader {
	return &reader{maxPixels: o.MaxPixels, maxBytes: o.MaxBytes, anyFile: o.AnyFile, look: o.Look, allOrNothing: o.AllOrNothing, long: make(chan struct{}, 1), wide: make(chan struct{}, 1)}
}

// read returns the bytes of an example. They are valid until release is called,
// which is required, and until own is reused.
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

// fill reads until b is full or the file ends; more means that it did not end.
// Unlike io.ReadFull it distinguishes an unexpected EOF reported by the reader
// from a normal end.
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
