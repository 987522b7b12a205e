package hdfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/folder"
	"tkit/datasets/hdfs"
	"tkit/datasets/hdfs/treetest"
	"tkit/datasets/sourcetest"
	"tkit/internal/hdfs/hdfstest"
)

// pair is a name service of two NameNodes, whose servers some tests kill and
// stop. Each test leaves all of them running and the first NameNode active.
var pair = hdfstest.Shared(hdfstest.Config{HA: true, Encryption: true, HDFS: map[string]string{"dfs.blocksize": "1048576"}})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

// store returns the cluster by the name of its service.
func store(t *testing.T) treetest.Store {
	cluster := pair(t)
	t.Setenv("HADOOP_CONF_DIR", cluster.ConfDir())
	return treetest.Store{Cluster: cluster, URI: cluster.URI(), Open: open}
}

func open(ctx context.Context, uri string) (*hdfs.Tree, error) {
	c, err := hdfs.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	return hdfs.New(ctx, c)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTree(t *testing.T)    { store(t).Tree(t) }
func TestSource(t *testing.T)  { store(t).Source(t) }
func TestMayRead(t *testing.T) { store(t).MayRead(t) }

// A NameNode may be given instead of the service, without any configuration.
func TestOneNameNode(t *testing.T) {
	s := store(t)
	p := s.NewPlace(t)
	p.Put("a/1.png", sourcetest.Picture(1))
	t.Setenv("HADOOP_CONF_DIR", "")
	p.URI = "hdfs://" + s.Cluster.NameNode(0)
	if n := len(take(t, p).Entries); n != 1 {
		t.Errorf("%d images of one", n)
	}
}

// A configured proxy user is not ignored.
func TestProxyUserIsRefused(t *testing.T) {
	p := store(t).NewPlace(t)
	t.Setenv("HADOOP_PROXY_USER", "bob")
	if tree, err := open(t.Context(), p.URI+"/"); err == nil || !strings.Contains(err.Error(), "webhdfs://") {
		t.Errorf("%v, %v", tree, err)
	}
}

// take takes the snapshot of a place.
func take(t *testing.T, p treetest.Place) *datasets.Snapshot {
	t.Helper()
	s, _, err := datasets.TakeSnapshot(t.Context(), folder.New(p.OpenTree(), folder.Config{}), datasets.SnapshotOptions{})
	must(t, err)
	return s
}

// Files that the client would read wrongly are listed but not read.
func TestRefused(t *testing.T) {
	p := store(t).NewPlace(t)
	p.MakeDirectory("zone")
	must(t, p.Cluster.Admin("org.apache.hadoop.hdfs.tools.CryptoAdmin", "-createZone", "-keyName", hdfstest.EncryptionKey, "-path", p.Root+"/zone"))
	p.MakeDirectory("coded")
	_, err := p.Cluster.Web(t.Context(), "PUT", "/", "op", "ENABLEECPOLICY", "ecpolicy", "XOR-2-1-1024k")
	must(t, err)
	p.Do("PUT", "coded", "op", "SETECPOLICY", "ecpolicy", "XOR-2-1-1024k")
	stored := map[string][]byte{"plain/x.png": sourcetest.Picture(0), "zone/x.png": sourcetest.Picture(1), "coded/x.png": sourcetest.Picture(2)}
	p.PutAll(stored)
	writer, err := p.Cluster.BeginWrite(t.Context(), p.Root+"/writing/x.png")
	must(t, err)
	defer writer.Close()

	src := folder.New(p.OpenTree(), folder.Config{})
	want := map[string]string{"plain/x.png": "", "zone/x.png": "encryption zone", "coded/x.png": "erasure-coded", "writing/x.png": "open for write"}
	for e, err := range src.Examples(t.Context()) {
		must(t, err)
		b, err := read(t.Context(), e)
		switch reason := want[e.Key]; {
		case reason == "" && (err != nil || string(b) != string(stored[e.Key])):
			t.Errorf("%s: %d bytes, %v", e.Key, len(b), err)
		case reason != "" && (!errors.Is(err, datasets.ErrRefused) || errors.Is(err, datasets.ErrUnavailable) || !strings.Contains(err.Error(), reason) || len(b) > 0):
			t.Errorf("%s: %d bytes, %v", e.Key, len(b), err)
		}
		delete(want, e.Key)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	snapshot, report, err := datasets.TakeSnapshot(t.Context(), src, datasets.SnapshotOptions{})
	if err != nil || len(snapshot.Entries) != 1 || len(report.Quarantined) != 3 {
		t.Errorf("the snapshot has %v, %v", snapshot, err)
	}
}

func read(ctx context.Context, e datasets.Example) ([]byte, error) {
	r, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// If a user may not read one file of many, everything is refused.
func TestOneOfAThousandIsDenied(t *testing.T) {
	p := store(t).NewPlace(t)
	stored := map[string][]byte{}
	for i := range 1000 {
		stored[fmt.Sprintf("class-%d/%04d.png", i/100, i)] = sourcetest.Picture(i)
	}
	p.PutAll(stored, "replication", "1") // faster than three
	src := folder.New(p.OpenTree(), folder.Config{})
	whole := datasets.SnapshotOptions{AllOrNothing: true, Workers: 8}
	s, _, err := datasets.TakeSnapshot(t.Context(), src, whole)
	if err != nil || len(s.Entries) != 1000 {
		t.Fatalf("all may be read: %v, %v", s, err)
	}
	p.Deny("class-7/0777.png")
	if s, _, err := datasets.TakeSnapshot(t.Context(), src, whole); s != nil || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "0777.png") {
		t.Errorf("one may not: %v, %v", s, err)
	}
}

func TestParseConfig(t *testing.T) {
	for uri, want := range map[string]string{
		"hdfs://nn:8020/a/b":      "",
		"hdfs://ns/a%20b/../c":    "",
		"hdfs:///a":               "",
		"hdfs://nn":               "",
		"webhdfs://nn/a":          "the scheme is not hdfs",
		"hdfs://alice@nn/a":       "must not contain a user",
		"hdfs://alice:secret@n/a": "must not contain a user",
		"hdfs://nn/a?x=y":         "only have a host and a path",
		"hdfs://nn/a#b":           "only have a host and a path",
		"hdfs:nn/a":               "only have a host and a path",
		"hdfs://nn/a%00":          "zero byte",
		"hdfs://nn:port/":         "port",
	} {
		_, err := hdfs.ParseConfig(uri)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	c, err := hdfs.ParseConfig("hdfs://ns/a%20b/../c%23/")
	if err != nil || c.Root != "/c#" || c.Client.Authority != "ns" {
		t.Errorf("%+v, %v", c, err)
	}
}
