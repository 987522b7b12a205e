// Package all is the one list of the stores that tkit reads datasets from, and
// of the formats that they may have there.
//
// A dataset is named by a URI, or by a path of this machine:
//
//	photos                                a folder per class
//	file:///data/photos                   the same, with %xx for odd bytes
//	hdfs://cluster/data/photos            the same in HDFS
//	webhdfs://nn:9870/data/photos         in HDFS over HTTP; swebhdfs:// over HTTPS
//	/data/scans.csv                       a manifest
//	/data/shards                          a folder of nothing but tar files
//	/data/part?format=sequencefile        any file, its format said
//
// What the format is follows from the name of a file, or from what a folder
// holds, unless ?format= says it. More options follow in the same place, each
// after &: files=PATTERN takes only those shards; splits=folders or
// splits=names says that the folders above the classes, or the names of the
// shards, are train, validation and test; image=, label=, group= and split=
// name the features of a TFRecord; image= and label= the members of a tar file, or
// a field of its JSON; label=folder, parent or key is the part of the path or key
// in a tar file or SequenceFile that is the label.
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

// stores has every kind of store by the scheme of its URIs. To add one, write
// a package beside datasets/local and a line here.
var stores = []struct {
	scheme string
	open   func(ctx context.Context, uri string) (files.Tree, error)
}{
	{local.Scheme, openLocal},
	{hdfs.Scheme, openHDFS},
	{webhdfs.Scheme, openWebHDFS},
	{webhdfs.TLSScheme, openWebHDFS},
}

// Open returns the source that a URI names. What has no scheme is a path of
// this machine. The source is closed by datasets.Close.
func Open(ctx context.Context, uri string) (datasets.Source, error) {
	return OpenIf(ctx, uri, func(string, string) error { return nil })
}

// OpenIf is Open where somebody may say no: admit is called with the user as
// whom the store is read (datasets.User) and the URI of what was opened there,
// before anything is looked at, and its error is returned. A folder of this
// machine is open by then and stays so: its URI is where it lies, and what
// takes its place is not read. A local file is read under its own name and
// never through a link.
func OpenIf(ctx context.Context, uri string, admit func(user, opened string) error) (datasets.Source, error) {
	n, err := parse(uri)
	if err != nil {
		return nil, err
	}
	return n.open(ctx, admit)
}

// URI is a URI of what Open takes: a path of this machine with options becomes
// file://PATH?OPTIONS, and anything else stays as it is.
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

// OpenTree returns the tree of files that a URI without options names.
func OpenTree(ctx context.Context, uri string) (files.Tree, error) {
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
