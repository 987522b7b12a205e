// Package all is the one list of the kinds of datasets that tkit reads.
package all

import (
	"context"
	"fmt"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/folder"
	"tkit/datasets/local"
)

// stores has every kind of store by the scheme of its URIs. To add one, write
// a package beside datasets/local and a line here.
var stores = []struct {
	scheme string
	open   func(ctx context.Context, uri string) (files.Tree, error)
}{
	{local.Scheme, openLocal},
}

// Open returns the source that a URI names. What has no scheme is a path of
// this machine.
func Open(ctx context.Context, uri string) (datasets.Source, error) {
	tree, err := OpenTree(ctx, uri)
	if err != nil {
		return nil, err
	}
	return folder.New(tree, folder.Config{}), nil
}

// OpenTree returns the tree of files that a URI names.
func OpenTree(ctx context.Context, uri string) (files.Tree, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, _, found := strings.Cut(uri, "://")
	if !found || strings.ContainsAny(scheme, `/\.`) {
		scheme = local.Scheme
	}
	var known []string
	for _, s := range stores {
		if s.scheme == scheme {
			return s.open(ctx, uri)
		}
		known = append(known, s.scheme+"://")
	}
	return nil, fmt.Errorf("dataset %s: unknown scheme %s://: tkit reads a plain path or %s", uri, scheme, strings.Join(known, ", "))
}

func openLocal(_ context.Context, uri string) (files.Tree, error) {
	c, err := local.ParseConfig(uri)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	t, err := local.New(c)
	if err != nil {
		return nil, err
	}
	return t, nil
}
