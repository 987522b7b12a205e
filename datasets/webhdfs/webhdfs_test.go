package webhdfs_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"tkit/datasets/hdfs"
	"tkit/datasets/hdfs/treetest"
	"tkit/datasets/webhdfs"
	"tkit/internal/hdfs/hdfstest"
)

var plain = hdfstest.Shared(hdfstest.Config{HttpFS: true})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

func store(t *testing.T) treetest.Store {
	cluster := plain(t)
	return treetest.Store{Cluster: cluster, URI: "webhdfs://" + cluster.NameNodeHTTP(0), Open: open}
}

func open(ctx context.Context, uri string) (*hdfs.Tree, error) {
	c, err := webhdfs.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	return webhdfs.New(ctx, c)
}

func TestTree(t *testing.T)    { store(t).Tree(t) }
func TestSource(t *testing.T)  { store(t).Source(t) }
func TestMayRead(t *testing.T) { store(t).MayRead(t) }

func TestTreeThroughHttpFS(t *testing.T) {
	s := store(t)
	s.URI = "webhdfs://" + s.Cluster.HttpFS()
	s.Tree(t)
}

func TestParseConfig(t *testing.T) {
	for uri, want := range map[string]string{
		"webhdfs://nn:9870/a/b":      "",
		"swebhdfs://ns/a%20b/../c":   "",
		"webhdfs:///a":               "",
		"hdfs://nn/a":                "the scheme is not webhdfs or swebhdfs",
		"webhdfs://alice@nn/a":       "must not contain a user",
		"webhdfs://alice:secret@n/a": "must not contain a user",
		"webhdfs://nn/a?op=OPEN":     "only have a host and a path",
		"webhdfs://nn/a#b":           "only have a host and a path",
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
