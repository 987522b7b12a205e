// Package all is the one list of the kinds of datasets that tkit reads.
package all

import (
	"context"
	"fmt"
	"strings"

	"tkit/datasets"
	"tkit/datasets/local"
)

// kinds has every kind of source by the scheme of its URIs. To add one, write
// a package beside datasets/local and a line here.
var kinds = []struct {
	scheme string
	open   func(ctx context.Context, uri string) (datasets.Source, error)
}{
	{local.Scheme, openLocal},
}

// Open returns the source that a URI names. What has no scheme is a path of
// this machine.
func Open(ctx context.Context, uri string) (datasets.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, _, found := strings.Cut(uri, "://")
	if !found || strings.ContainsAny(scheme, `/\.`) {
		scheme = local.Scheme
	}
	var known []string
	for _, k := range kinds {
		if k.scheme == scheme {
			return k.open(ctx, uri)
		}
		known = append(known, k.scheme+"://")
	}
	return nil, fmt.Errorf("dataset %s: unknown scheme %s://: tkit reads a plain path or %s", uri, scheme, strings.Join(known, ", "))
}

func openLocal(_ context.Context, uri string) (datasets.Source, error) {
	c, err := local.ParseConfig(uri)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	s, err := local.New(c)
	if err != nil {
		return nil, err
	}
	return s, nil
}
