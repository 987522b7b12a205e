package shards

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tkit/datasets"
	"tkit/datasets/files"
)

// Head reads the first HeadBytes bytes of a file, or all if it is shorter.
func Head(ctx context.Context, tree files.Tree, path string) (head []byte, err error) {
	r, err := tree.Open(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	head = make([]byte, HeadBytes)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

// byContent finds the shards among files without a shard's name. If any is a
// shard, the others are strays.
func (s *Source) byContent(ctx context.Context, found []*Shard) error {
	for _, f := range found {
		if !f.stray {
			return nil
		}
	}
	for _, f := range found {
		if f.Directory || f.Refused != nil {
			continue
		}
		head, err := Head(ctx, s.tree, f.Path)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		f.stray = !s.format.Begins(head)
	}
	return nil
}

// readable returns an error if a shard begins with bytes of another format that
// cannot be read.
func (s *Source) readable(ctx context.Context, shard *Shard) error {
	head := make([]byte, min(HeadBytes, shard.Size))
	for n := 0; n < len(head); {
		m, err := s.window.readAt(ctx, shard, head[n:], int64(n))
		if err != nil {
			return err
		}
		n += m
	}
	if s.format.Begins(head) {
		return nil
	}
	return Packed(shard.Name(), head)
}

// strays returns why a file next to the shards is not read.
func (s *Source) strays(ctx context.Context, f *Shard) error {
	if !f.Directory && f.Refused == nil {
		head, err := Head(ctx, s.tree, f.Path)
		if err != nil {
			return err
		}
		if why := Packed(f.Name(), head); why != nil {
			return fmt.Errorf("%w: %w", datasets.ErrRefused, why)
		}
		if s.format.Begins(head) {
			return fmt.Errorf("%w: its name is not that of a %s shard, unlike others: rename it, or select it by the option files=PATTERN", datasets.ErrRefused, s.format.Name())
		}
	}
	return fmt.Errorf("%w: it is not a %s shard, unlike others in the folder", datasets.ErrRefused, s.format.Name())
}
