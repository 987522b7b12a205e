package webhdfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/files/filestest"
	"tkit/datasets/folder"
	"tkit/datasets/sourcetest"
	"tkit/datasets/webhdfs"
	"tkit/internal/hdfs/hdfstest"
)

var plain = hdfstest.Shared(hdfstest.Config{HttpFS: true})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A place is a folder of the cluster, which belongs to the superuser.
type place struct {
	t       *testing.T
	cluster *hdfstest.Cluster
	server  string
	root    string
}

var places atomic.Int32

func newPlace(t *testing.T, cluster *hdfstest.Cluster, server string) place {
	p := place{t, cluster, server, fmt.Sprintf("/trees/a tree #1 ?%%41/%d", places.Add(1))}
	p.makeDirectory("")
	return p
}

func (p place) put(file string, b []byte) {
	p.t.Helper()
	must(p.t, p.cluster.Put(p.t.Context(), map[string][]byte{path.Join(p.root, file): b}))
}

func (p place) do(method, file string, pairs ...string) {
	p.t.Helper()
	_, err := p.cluster.Web(p.t.Context(), method, path.Join(p.root, file), pairs...)
	must(p.t, err)
}

func (p place) makeDirectory(dir string) { p.t.Helper(); p.do("PUT", dir, "op", "MKDIRS") }
func (p place) remove(file string)       { p.t.Helper(); p.do("DELETE", file, "op", "DELETE") }
func (p place) deny(file string) {
	p.t.Helper()
	p.do("PUT", file, "op", "SETPERMISSION", "permission", "600")
}

// open opens the place as a user who owns nothing.
func (p place) open() *webhdfs.Tree {
	p.t.Helper()
	p.t.Setenv("HADOOP_USER_NAME", "alice")
	c := webhdfs.Config{Root: p.root}
	c.Client.Authority = p.server
	tree, err := webhdfs.New(p.t.Context(), c)
	must(p.t, err)
	p.t.Cleanup(func() { tree.Close() })
	return tree
}

func reopen(ctx context.Context, uri string) (files.Tree, error) {
	c, err := webhdfs.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	return webhdfs.New(ctx, c)
}

func TestTree(t *testing.T) {
	cluster := plain(t)
	testTree(t, cluster, cluster.NameNodeHTTP(0))
}

func TestTreeThroughHttpFS(t *testing.T) {
	cluster := plain(t)
	testTree(t, cluster, cluster.HttpFS())
}

func testTree(t *testing.T, cluster *hdfstest.Cluster, server string) {
	filestest.Run(t, func(t *testing.T, stored []filestest.File) filestest.Fixture {
		p := newPlace(t, cluster, server)
		all := map[string][]byte{}
		for _, f := range stored {
			all[path.Join(p.root, f.Path)] = f.Bytes
		}
		must(t, cluster.Put(t.Context(), all))
		return filestest.Fixture{
			Tree:          p.open(),
			Reopen:        reopen,
			Put:           func(f filestest.File) { p.put(f.Path, f.Bytes) },
			MakeDirectory: p.makeDirectory,
			Remove:        p.remove,
			Deny:          p.deny,
		}
	})
}

func TestSource(t *testing.T) {
	cluster := plain(t)
	server := cluster.NameNodeHTTP(0)
	sourcetest.Run(t, func(t *testing.T, stored []sourcetest.File) sourcetest.Fixture {
		p := newPlace(t, cluster, server)
		all := map[string][]byte{}
		for _, f := range stored {
			all[path.Join(p.root, f.Key)] = f.Bytes
		}
		must(t, cluster.Put(t.Context(), all))
		return sourcetest.Fixture{
			Source: folder.New(p.open(), folder.Config{}),
			Reopen: func(ctx context.Context, uri string) (datasets.Source, error) {
				tree, err := reopen(ctx, uri)
				if err != nil {
					return nil, err
				}
				return folder.New(tree, folder.Config{}), nil
			},
			Put:    func(f sourcetest.File) { p.put(f.Key, f.Bytes) },
			Remove: p.remove,
			Deny:   p.deny,
		}
	})
}

func TestMayRead(t *testing.T) {
	cluster := plain(t)
	p := newPlace(t, cluster, cluster.NameNodeHTTP(0))
	p.put("a/1", nil)
	p.put("a/2", nil)
	tree := p.open()
	paths := []string{"a/1", "a/2"}
	must(t, tree.MayRead(t.Context(), "bob", slices.Values(paths)))
	p.deny("a/2")
	if err := tree.MayRead(t.Context(), "bob", slices.Values(paths)); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "a/2") {
		t.Errorf("a file without r: %v", err)
	}
	if err := tree.MayRead(t.Context(), "bob", slices.Values([]string{"../../x"})); !errors.Is(err, datasets.ErrRefused) {
		t.Errorf("a path that leaves the tree: %v", err)
	}
}

func TestParseConfig(t *testing.T) {
	for uri, want := range map[string]string{
		"webhdfs://nn:9870/a/b":      "",
		"swebhdfs://ns/a%20b/../c":   "",
		"webhdfs:///a":               "",
		"hdfs://nn/a":                "the scheme is not",
		"webhdfs://alice@nn/a":       "names no user",
		"webhdfs://alice:secret@n/a": "names no user",
		"webhdfs://nn/a?op=OPEN":     "nothing else",
		"webhdfs://nn/a#b":           "nothing else",
		"webhdfs://nn/a%00":          "zero byte",
		"webhdfs://nn:port/":         "port",
	} {
		_, err := webhdfs.ParseConfig(uri)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	c, err := webhdfs.ParseConfig("swebhdfs://ns/a%20b/../c%23/")
	if err != nil || c.Root != "/c#" || !c.Client.TLS || c.Client.Authority != "ns" {
		t.Errorf("%+v, %v", c, err)
	}
}
