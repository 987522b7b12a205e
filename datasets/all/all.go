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
	"os"
	"path/filepath"
	"strings"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/hdfs"
	"tkit/datasets/local"
	"tkit/datasets/webhdfs"
)

// A store is a kind of store.
type store struct {
	scheme string
	// check refuses a URI without options that is not valid. It reads nothing.
	check func(uri string) error
	open  func(ctx context.Context, uri string) (files.Tree, error)
}

// stores lists every kind of store by the scheme of its URIs. To add one, write
// a package like datasets/local and a line here.
var stores = []store{
	{local.Scheme, parsed(local.ParseConfig), openLocal},
	{hdfs.Scheme, parsed(hdfs.ParseConfig), openHDFS},
	{webhdfs.Scheme, parsed(webhdfs.ParseConfig), openWebHDFS},
	{webhdfs.TLSScheme, parsed(webhdfs.ParseConfig), openWebHDFS},
}

func parsed[C any](parse func(uri string) (C, error)) func(string) error {
	return func(uri string) error {
		_, err := parse(uri)
		return err
	}
}

// Check refuses an argument of Open that can never be opened: an unknown scheme, a
// malformed URI, or an unknown option. It reads nothing.
func Check(uri string) error {
	n, err := parse(uri)
	if err != nil {
		return err
	}
	s, err := storeOf(n.at)
	if err != nil {
		return err
	}
	if err := s.check(n.at); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

// CheckExists is Check that also refuses a local path or file:// URI where there is
// nothing.
func CheckExists(uri string) error {
	if err := Check(uri); err != nil {
		return err
	}
	n, err := parse(uri)
	if scheme, found := schemeOf(n.at); err != nil || found && scheme != local.Scheme {
		return err
	}
	c, err := local.ParseConfig(n.at)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Root); err != nil {
		return fmt.Errorf("dataset: %w", n.missing(err))
	}
	return nil
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
	s, err := storeOf(uri)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, uri)
}

// storeOf returns the store of a URI without options, or of a local path.
func storeOf(uri string) (store, error) {
	scheme, found := schemeOf(uri)
	if !found {
		scheme = local.Scheme
	}
	var known []string
	for _, s := range stores {
		if s.scheme == scheme {
			return s, nil
		}
		known = append(known, s.scheme+"://")
	}
	return store{}, fmt.Errorf("dataset %s: unknown scheme %s://: tkit reads a plain path or %s", uri, scheme, strings.Join(known, ", "))
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
