package all

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/folder"
	"tkit/datasets/manifest"
	"tkit/datasets/sequencefile"
	"tkit/datasets/shards"
	"tkit/datasets/tarshards"
	"tkit/datasets/tfrecord"
)

// format is one of the formats of datasets.
type format struct {
	name    string
	named   func(file string) bool // whether a file's name is of this format; nil for folders
	begins  func(head []byte) bool // whether a file's first bytes are of this format; nil if they cannot tell
	options []string               // the options it takes
	open    func(tree files.Tree, file string, o url.Values) (datasets.Source, error)
}

// formats lists every format. To add one, write a package and a line here.
var formats = []format{
	{folder.Format, nil, nil, []string{"splits", "label"}, openFolder},
	{manifest.Format, manifest.Named, nil, nil, openManifest},
	{tfrecord.Format, tfrecord.Named, tfrecord.Begins, []string{"files", "splits", "image", "label", "group", "split"}, openTFRecord},
	{tarshards.Format, tarshards.Named, tarshards.Begins, []string{"files", "splits", "image", "label"}, openTar},
	{sequencefile.Format, sequencefile.Named, sequencefile.Begins, []string{"files", "splits", "label"}, openSequenceFile},
}

func openFolder(tree files.Tree, _ string, o url.Values) (datasets.Source, error) {
	label := o.Get("label")
	if label != "" && label != "folder" && label != "parent" {
		return nil, fmt.Errorf("label=%s: the format folder takes label=folder, which is the first folder, or label=parent, the last", label)
	}
	return folder.New(tree, folder.Config{Splits: o.Has("splits"), Parent: label == "parent", Explicit: o.Has("format")}), nil
}

func openManifest(tree files.Tree, file string, _ url.Values) (datasets.Source, error) {
	if file == "" {
		return nil, errors.New("which file is the manifest? give it instead of its folder")
	}
	return manifest.New(tree, manifest.Config{Path: file}), nil
}

func openTFRecord(tree files.Tree, file string, o url.Values) (datasets.Source, error) {
	return tfrecord.New(tree, tfrecord.Config{
		Shards: shardsConfig(file, o), Image: o.Get("image"), Label: o.Get("label"), Group: o.Get("group"), Split: o.Get("split"),
	}), nil
}

func openTar(tree files.Tree, file string, o url.Values) (datasets.Source, error) {
	return tarshards.New(tree, tarshards.Config{Shards: shardsConfig(file, o), Image: o.Get("image"), Label: o.Get("label")}), nil
}

func openSequenceFile(tree files.Tree, file string, o url.Values) (datasets.Source, error) {
	return sequencefile.New(tree, sequencefile.Config{Shards: shardsConfig(file, o), Label: shards.PathLabel(o.Get("label"))})
}

func shardsConfig(file string, o url.Values) shards.Config {
	return shards.Config{File: file, Files: o.Get("files"), Splits: o.Has("splits")}
}

// open finds the tree and the format, and opens the dataset.
func (n name) open(ctx context.Context, permit func(user, opened string) error) (datasets.Source, error) {
	tree, file, err := n.find(ctx, permit)
	if err != nil {
		return nil, err
	}
	src, err := n.openIn(ctx, tree, file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dataset %s: %w", n.at, err), tree.Close())
	}
	return src, nil
}

func (n name) openIn(ctx context.Context, tree files.Tree, file string) (datasets.Source, error) {
	// A manifest refers to other files. Any other file is the only one read,
	// also to detect its format.
	if narrow, ok := tree.(interface{ Only(file string) }); ok && file != "" && !n.maybeManifest(file) {
		narrow.Only(file)
	}
	f, err := n.format(ctx, tree, file)
	if err != nil {
		return nil, err
	}
	for option, values := range n.options {
		if option != "format" && !slices.Contains(f.options, option) {
			return nil, fmt.Errorf("the format %s has no option %s=", f.name, option)
		}
		want := "names"
		if f.named == nil {
			want = "folders"
		}
		if option == "splits" && values[0] != want {
			return nil, fmt.Errorf("splits=%s: the format %s takes splits=%s", values[0], f.name, want)
		}
	}
	if file != "" && n.options.Has("files") {
		return nil, fmt.Errorf("files=%s: a pattern is for a folder, and %s is a file", n.options.Get("files"), file)
	}
	return f.open(tree, file, n.options)
}

// find opens the tree of the folder given, or that contains the file given.
func (n name) find(ctx context.Context, permit func(user, opened string) error) (tree files.Tree, file string, err error) {
	folder, last, ok := n.parent()
	if !ok || !n.maybeFile(last) {
		tree, err = n.openTree(ctx, n.at, "", permit)
		if !ok || !errors.Is(err, files.ErrIsFile) {
			return tree, "", n.missing(err)
		}
	}
	if tree, err = n.openTree(ctx, folder, last, permit); err != nil {
		return nil, "", err
	}
	info, err := tree.Stat(ctx, last)
	switch {
	case err == nil && !info.Directory:
		return tree, last, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if err := tree.Close(); err != nil {
			return nil, "", err
		}
		tree, err = n.openTree(ctx, n.at, "", permit) // its error says what is missing
		return tree, "", n.missing(err)
	}
	return nil, "", errors.Join(fmt.Errorf("dataset %s: %w", n.at, err), tree.Close())
}

// openTree opens a tree if reading it is permitted: the file, or all of it.
func (n name) openTree(ctx context.Context, uri, file string, permit func(user, opened string) error) (files.Tree, error) {
	tree, err := openTree(ctx, uri)
	if err != nil {
		return nil, err
	}
	if err := permit(files.User(tree), files.URI(tree, file, n.options)); err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return tree, nil
}

// maybeFile reports whether the name can be a file's.
func (n name) maybeFile(last string) bool {
	if f := n.options.Get("format"); f != "" {
		return f != folder.Format
	}
	return slices.ContainsFunc(formats, func(f format) bool { return f.has(last) })
}

// maybeManifest reports whether a file is a manifest by its name or by an
// option.
func (n name) maybeManifest(file string) bool {
	if f := n.options.Get("format"); f != "" {
		return f == manifest.Format
	}
	return manifest.Named(file)
}

// has reports whether a file's name, compressed or not, is of this format.
func (f format) has(name string) bool { return f.named != nil && f.named(shards.Unpacked(name)) }
