package registry

import (
	"context"
	"fmt"
)

// Files are the files of this machine that have the parts of a version, for what maps
// them into memory. Their bytes have been checked against the digests. They must not
// be written to.
type Files struct {
	Manifest    *Manifest
	Trunk, Head string
	Attachment  string // the one that was asked for; "" where the version has none
}

// Files finds the files of a version, and of its attachment of a name, unless that is
// "". The error wraps ErrNotLocal where the blobs are stored elsewhere, and ErrCorrupt
// or ErrNotFound where the lineage cannot be followed to its end: who may use the
// version depends on it.
func (r *Registry) Files(ctx context.Context, ref Ref, attachment string) (Files, error) {
	m, err := r.Resolve(ctx, ref)
	if err != nil {
		return Files{}, err
	}
	if _, err := r.Lineage(ctx, m); err != nil {
		return Files{}, err
	}
	f := Files{Manifest: m}
	if f.Trunk, err = r.BlobPath(ctx, m.Trunk.Digest); err != nil {
		return f, fmt.Errorf("the trunk of %s: %w", m.Ref(), err)
	}
	if f.Head, err = r.BlobPath(ctx, m.Head.Digest); err != nil {
		return f, fmt.Errorf("the head of %s: %w", m.Ref(), err)
	}
	if part, ok := m.Attachments[attachment]; ok {
		if f.Attachment, err = r.BlobPath(ctx, part.Digest); err != nil {
			return f, fmt.Errorf("%s of %s: %w", attachment, m.Ref(), err)
		}
	}
	return f, nil
}
