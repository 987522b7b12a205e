// Package treetest runs the suites of package files and of package datasets
// against a folder of a real cluster, with any client.
package treetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/files/filestest"
	"tkit/datasets/folder"
	"tkit/datasets/hdfs"
	"tkit/datasets/sourcetest"
	"tkit/internal/hdfs/hdfstest"
)

// A Store is a cluster and a protocol to read it.
type Store struct {
	Cluster *hdfstest.Cluster
	URI     string // without a path: hdfs://HOST:PORT
	Open    func(ctx context.Context, uri string) (*hdfs.Tree, error)
}

// A Place is a folder of a cluster, owned by the superuser. Its methods report
// failures to the test they were made with.
type Place struct {
	Store
	Root string
	t    *testing.T
}

var places atomic.Int32

// NewPlace makes an empty folder with an unusual name.
func (s Store) NewPlace(t *testing.T) Place {
	t.Helper()
	p := Place{s, fmt.Sprintf("/trees/a tree #1 ?%%41/%d", places.Add(1)), t}
	p.MakeDirectory("")
	return p
}

func (p Place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// PutAll stores files by their paths below the place, with pairs as in
// [hdfstest.Cluster.Put].
func (p Place) PutAll(stored map[string][]byte, pairs ...string) {
	p.t.Helper()
	all := map[string][]byte{}
	for file, b := range stored {
		all[path.Join(p.Root, file)] = b
	}
	p.must(p.Cluster.Put(p.t.Context(), all, pairs...))
}

// Put stores a file.
func (p Place) Put(file string, b []byte) {
	p.t.Helper()
	p.PutAll(map[string][]byte{file: b})
}

// Do runs one operation of WebHDFS as the superuser.
func (p Place) Do(method, file string, pairs ...string) {
	p.t.Helper()
	_, err := p.Cluster.Web(p.t.Context(), method, path.Join(p.Root, file), pairs...)
	p.must(err)
}

// MakeDirectory makes an empty folder.
func (p Place) MakeDirectory(dir string) { p.t.Helper(); p.Do("PUT", dir, "op", "MKDIRS") }

// Remove deletes a file.
func (p Place) Remove(file string) { p.t.Helper(); p.Do("DELETE", file, "op", "DELETE") }

// Deny makes a file readable only by its owner.
func (p Place) Deny(file string) {
	p.t.Helper()
	p.Do("PUT", file, "op", "SETPERMISSION", "permission", "600")
}

// OpenTree opens the place as alice, who owns nothing.
func (p Place) OpenTree() *hdfs.Tree {
	p.t.Helper()
	p.t.Setenv("HADOOP_USER_NAME", "alice")
	tree, err := p.Store.Open(p.t.Context(), p.URI+(&url.URL{Path: p.Root}).EscapedPath())
	p.must(err)
	p.t.Cleanup(func() { tree.Close() })
	return tree
}

// Tree runs the suite of trees.
func (s Store) Tree(t *testing.T) {
	filestest.Run(t, func(t *testing.T, stored []filestest.File) filestest.Fixture {
		p := s.NewPlace(t)
		all := map[string][]byte{}
		for _, f := range stored {
			all[f.Path] = f.Bytes
		}
		p.PutAll(all)
		return filestest.Fixture{
			Tree:          p.OpenTree(),
			Reopen:        func(ctx context.Context, uri string) (files.Tree, error) { return s.Open(ctx, uri) },
			Put:           func(f filestest.File) { p.Put(f.Path, f.Bytes) },
			MakeDirectory: p.MakeDirectory,
			Remove:        p.Remove,
			Deny:          p.Deny,
		}
	})
}

// Source runs the suite of sources with a folder per class.
func (s Store) Source(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, stored []sourcetest.File) sourcetest.Fixture {
		p := s.NewPlace(t)
		all := map[string][]byte{}
		for _, f := range stored {
			all[f.Key] = f.Bytes
		}
		p.PutAll(all)
		return sourcetest.Fixture{
			Source: folder.New(p.OpenTree(), folder.Config{}),
			Reopen: func(ctx context.Context, uri string) (datasets.Source, error) {
				tree, err := s.Open(ctx, uri)
				if err != nil {
					return nil, err
				}
				return folder.New(tree, folder.Config{}), nil
			},
			Put:    func(f sourcetest.File) { p.Put(f.Key, f.Bytes) },
			Remove: p.Remove,
			Deny:   p.Deny,
		}
	})
}

// MayRead tests permission checks.
func (s Store) MayRead(t *testing.T) {
	p := s.NewPlace(t)
	p.PutAll(map[string][]byte{"a/1": nil, "a/2": nil})
	tree := p.OpenTree()
	if got := datasets.User(folder.New(tree, folder.Config{})); got != "alice" {
		t.Errorf("it is read as %q", got)
	}
	paths := []string{"a/1", "a/2"}
	p.must(tree.MayRead(t.Context(), "bob", slices.Values(paths)))
	p.Deny("a/2")
	if err := tree.MayRead(t.Context(), "bob", slices.Values(paths)); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "a/2") {
		t.Errorf("a file without r: %v", err)
	}
	if err := tree.MayRead(t.Context(), "bob", slices.Values([]string{"../../x"})); !errors.Is(err, datasets.ErrRefused) {
		t.Errorf("a path that leaves the tree: %v", err)
	}
}
