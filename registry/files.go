package registry

import (
	"context"
	"fmt"
)

// Files are the local files with the parts of a version, which can be mapped into
// memory. Their bytes match the digests. They must not be written to.
type Files struct {
	Manifest    *Manifest
	Trunk, Head string
	Attachment  string // the requested one; "" if the version has none
}

// Files returns the files of a version and, if attachment is not "", of that
// attachment. The error wraps ErrNotLocal if the blobs are stored elsewhere, and
// ErrCorrupt or ErrNotFound if the lineage cannot be read completely, because the
// right to use the version depends on it.
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
