package webhdfs_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/hdfs/webhdfs"
)

const dataNodes = 3

// pair is a cluster with two NameNodes.
var pair = hdfstest.Shared(hdfstest.Config{HA: true, DataNodes: 1})

// long is larger than the buffers of a connection.
var long = bytes.Repeat([]byte("a file that is read for a while "), 1<<20)

// begin reads the beginning of a file.
func begin(t *testing.T, c *webhdfs.Client, path string) *webhdfs.Reader {
	t.Helper()
	r, err := c.Open(t.Context(), path, 0)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	_, err = io.ReadFull(r, make([]byte, 1000))
	must(t, err)
	return r
}

// end reads the rest of the file.
func end(t *testing.T, r *webhdfs.Reader, want []byte) {
	t.Helper()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, want[1000:]) {
		t.Errorf("%d bytes of %d, or others: %v", len(b), len(want)-1000, err)
	}
}

func ready(t *testing.T, c *hdfstest.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, c.WaitReady(ctx))
}

// serving returns the DataNode that a reader reads from.
func serving(t *testing.T, c *hdfstest.Cluster, r *webhdfs.Reader) int {
	t.Helper()
	i := slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { return c.DataNodeHTTP(i) == r.Server() })
	if i < 0 {
		t.Fatalf("reading from %s, which is not a DataNode", r.Server())
	}
	return i
}

func TestDataNodeKilled(t *testing.T) {
	cluster := plain(t)
	put(t, cluster, map[string][]byte{"/faults/killed": long})
	r := begin(t, open(t, cluster, "alice"), "/faults/killed")
	i := serving(t, cluster, r)
	must(t, cluster.KillDataNode(i))
	end(t, r, long)
	must(t, cluster.StartDataNode(i))
	ready(t, cluster)
}

func TestDataNodeHung(t *testing.T) {
	cluster := plain(t)
	put(t, cluster, map[string][]byte{"/faults/hung": long})
	client := openConfig(t, webhdfs.Config{Authority: cluster.NameNodeHTTP(0), User: "alice", CallTimeout: 2 * time.Second})
	r := begin(t, client, "/faults/hung")
	i := serving(t, cluster, r)
	must(t, cluster.PauseDataNode(i))
	end(t, r, long)
	must(t, cluster.ResumeDataNode(i))
	ready(t, cluster)
}

// All DataNodes go down during reads. A file replaced meanwhile is not read
// further, and the other is complete when they are back.
func TestDataNodesDownAndBack(t *testing.T) {
	cluster, once := plain(t), []string{"replication", "1"}
	client := open(t, cluster, "alice")
	put(t, cluster, map[string][]byte{"/faults/down": long}, once...)
	stays := begin(t, client, "/faults/down")

	other := bytes.Repeat([]byte("another file of the same length "), 1<<20)
	replaced := map[string]*webhdfs.Reader{}
	for name, replace := range map[string]func(path string){
		"renamed over": func(path string) {
			put(t, cluster, map[string][]byte{path + ".new": other}, once...)
			_, err := cluster.Web(t.Context(), "PUT", path+".new", "op", "RENAME", "destination", path, "renameoptions", "OVERWRITE")
			must(t, err)
		},
		"written again": func(path string) { put(t, cluster, map[string][]byte{path: other}, once...) },
		"removed": func(path string) {
			_, err := cluster.Web(t.Context(), "DELETE", path, "op", "DELETE")
			must(t, err)
		},
	} {
		path := "/faults/" + name
		put(t, cluster, map[string][]byte{path: long}, once...)
		replaced[name] = begin(t, client, path)
		replace(path)
	}

	for i := range dataNodes {
		must(t, cluster.KillDataNode(i))
	}
	for name, r := range replaced {
		b, err := io.ReadAll(r)
		if !bytes.HasPrefix(long[1000:], b) {
			t.Errorf("%s: %d bytes, and not the file's", name, len(b))
		}
		if want := map[string]error{"removed": fs.ErrNotExist}[name]; !errors.Is(err, cmp.Or(want, hdfs.ErrReplaced)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	back := make(chan error, 1)
	time.AfterFunc(2*time.Second, func() {
		var err error
		for i := range dataNodes {
			err = errors.Join(err, cluster.StartDataNode(i))
		}
		back <- err
	})
	end(t, stays, long)
	must(t, <-back)
	ready(t, cluster)
}

// Every kind of call waits for a NameNode that restarts.
func TestNameNodeRestarted(t *testing.T) {
	cluster := plain(t)
	put(t, cluster, map[string][]byte{"/faults/restart/f": []byte("x")})
	client := open(t, cluster, "alice")
	must(t, cluster.KillNameNode(0))
	back := make(chan error, 1)
	time.AfterFunc(time.Second, func() { back <- cluster.StartNameNode(0) })
	if b, err := read(t.Context(), client, "/faults/restart/f", 0); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, <-back)
	must(t, client.MayRead(t.Context(), "alice", slices.Values([]string{"/faults/restart/f"})))
	ready(t, cluster)
}

func TestNameNodeHung(t *testing.T) {
	cluster := plain(t)
	put(t, cluster, map[string][]byte{"/faults/hang/f": []byte("x")})
	client := openConfig(t, webhdfs.Config{Authority: cluster.NameNodeHTTP(0), User: "alice", CallTimeout: time.Second})
	hasty := openConfig(t, webhdfs.Config{Authority: cluster.NameNodeHTTP(0), User: "alice", CallTimeout: time.Second, Budget: time.Second})
	must(t, cluster.PauseNameNode(0))
	if _, err := hasty.Stat(t.Context(), "/faults/hang/f"); !errors.Is(err, hdfs.ErrUnavailable) {
		t.Errorf("beyond its patience: %v", err)
	}
	back := make(chan error, 1)
	time.AfterFunc(3*time.Second, func() { back <- cluster.ResumeNameNode(0) })
	if b, err := read(t.Context(), client, "/faults/hang/f", 0); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, <-back)
	ready(t, cluster)
}

// A file whose writer still has it open is refused, although its status does
// not show that.
func TestOpenForWrite(t *testing.T) {
	cluster := plain(t)
	path := "/faults/writing"
	writer, err := cluster.BeginWrite(t.Context(), path)
	must(t, err)
	client := open(t, cluster, "alice")
	if b, err := read(t.Context(), client, path, 0); !errors.Is(err, hdfs.ErrRefused) {
		t.Errorf("while it is written: %q, %v", b, err)
	}
	must(t, writer.Close())
	if b, err := read(t.Context(), client, path, 0); err != nil {
		t.Errorf("once it is closed: %q, %v", b, err)
	}
}

// The active NameNode dies and the other takes over: open reads continue, and
// new ones find it.
func TestFailover(t *testing.T) {
	cluster := pair(t)
	put(t, cluster, map[string][]byte{"/faults/failover": long})
	client := openConfig(t, webhdfs.Config{ConfDir: cluster.ConfDir(), User: "alice"})
	r := begin(t, client, "/faults/failover")
	must(t, cluster.KillNameNode(0))
	over := make(chan error, 1)
	go func() { over <- cluster.Failover(t.Context(), 1) }()
	if b, err := read(t.Context(), client, "/faults/failover", 1000); err != nil || !bytes.Equal(b, long[1000:]) {
		t.Errorf("a new read: %d bytes of %d, or others: %v", len(b), len(long)-1000, err)
	}
	end(t, r, long)
	must(t, <-over)
	must(t, cluster.StartNameNode(0))
}

func TestRefused(t *testing.T) {
	cluster := plain(t)
	const policy = "XOR-2-1-1024k"
	for _, dir := range []string{"/zone", "/coded"} {
		_, err := cluster.Web(t.Context(), "PUT", dir, "op", "MKDIRS")
		must(t, err)
	}
	must(t, cluster.Admin("org.apache.hadoop.hdfs.tools.CryptoAdmin", "-createZone", "-keyName", hdfstest.EncryptionKey, "-path", "/zone"))
	_, err := cluster.Web(t.Context(), "PUT", "/", "op", "ENABLEECPOLICY", "ecpolicy", policy)
	must(t, err)
	_, err = cluster.Web(t.Context(), "PUT", "/coded", "op", "SETECPOLICY", "ecpolicy", policy)
	must(t, err)
	put(t, cluster, map[string][]byte{"/zone/x": []byte("x"), "/coded/x": []byte("x")})
	client := open(t, cluster, "alice")
	for dir, want := range map[string]string{"/zone": "encryption zone", "/coded": "erasure-coded"} {
		if b, err := read(t.Context(), client, dir+"/x", 0); !errors.Is(err, hdfs.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", dir, b, err)
		}
		for info, err := range client.ReadDir(t.Context(), dir) {
			if err != nil || !info.Directory && !errors.Is(info.Refused, hdfs.ErrRefused) {
				t.Errorf("%s is listed as %+v, %v", dir, info, err)
			}
		}
	}
}
