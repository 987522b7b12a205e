// Package all lists the stores that tkit reads datasets from, and the formats
// of datasets.
//
// A dataset is given by a URI, or by a local path:
//
//	photos                                a folder per class
//	file:///data/photos                   the same, with %xx for odd bytes
//	hdfs://cluster/data/photos            the same in HDFS
//	webhdfs://nn:9870/data/photos         in HDFS over HTTP; swebhdfs:// over HTTPS
//	/data/scans.csv                       a manifest
//	/data/shards                          a folder of nothing but tar files
//	/data/part?format=sequencefile        any file, its format said
//
// The format follows from the name of a file or the content of a folder, unless
// ?format= gives it. More options follow in the same place, separated by &:
// files=PATTERN takes only those shards; splits=folders or splits=names means
// that the folders above the classes, or the names of the shards, are train,
// validation and test; image=, label=, group= and split= name the features of a
// TFRecord; image= and label= name the members of a tar file, or a field of its
// JSON; label=folder, parent or key selects the part of the path or key in a
// tar file or SequenceFile that is the label.
package all

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/hdfs"
	"tkit/datasets/local"
	"tkit/datasets/webhdfs"
)

// stores lists every kind of store by the scheme of its URIs. To add one, write
// a package like datasets/local and a line here.
var stores = []struct {
	scheme string
	open   func(ctx context.Context, uri string) (files.Tree, error)
}{
	{local.Scheme, openLocal},
	{hdfs.Scheme, openHDFS},
	{webhdfs.Scheme, openWebHDFS},
	{webhdfs.TLSScheme, openWebHDFS},
}

// Open opens the source at a URI. Without a scheme it is a local path. Close
// the source with datasets.Close.
func Open(ctx context.Context, uri string) (datasets.Source, error) {
	return OpenIf(ctx, uri, func(string, string) error { return nil })
}

// OpenIf is Open with a permission check: permit is called with the user that
// the store is read as (datasets.User) and the URI opened there, before
// anything is read, and its error is returned. A local folder is already open
// by then and stays open: its URI is its real path, and whatever replaces it is
// not read. A local file is read under its own name and never through a link.
func OpenIf(ctx context.Context, uri string, permit func(user, opened string) error) (datasets.Source, error) {
	n, err := parse(uri)
	if err != nil {
		return nil, err
	}
	return n.open(ctx, permit)
}

// URI returns a URI for an argument of Open: a local path with options becomes
// file://PATH?OPTIONS, and anything else is unchanged.
func URI(given string) (string, error) {
	n, err := parse(given)
	if err != nil {
		return "", err
	}
	if _, isURI := schemeOf(given); isURI || len(n.options) == 0 {
		return given, nil
	}
	at, err := filepath.Abs(n.at)
	if err != nil {
		return "", fmt.Errorf("dataset %s: %w", given, err)
	}
	return (&url.URL{Scheme: local.Scheme, Path: filepath.ToSlash(at), RawQuery: n.options.Encode()}).String(), nil
}

// openTree opens the tree of files at a URI without options.
func openTree(ctx context.Context, uri string) (files.Tree, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, found := schemeOf(uri)
	if !found {
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

func openHDFS(ctx context.Context, uri string) (files.Tree, error) {
	c, err := hdfs.ParseConfig(uri)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	t, err := hdfs.New(ctx, c)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func openWebHDFS(ctx context.Context, uri string) (files.Tree, error) {
	c, err := webhdfs.ParseConfig(uri)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	t, err := webhdfs.New(ctx, c)
	if err != nil {
		return nil, err
	}
	return t, nil
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
