package webhdfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/hdfs/webhdfs"
)

var plain = hdfstest.Shared(hdfstest.Config{Encryption: true, HDFS: map[string]string{"dfs.blocksize": "1048576"}})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens the cluster's WebHDFS as a user.
func open(t *testing.T, c *hdfstest.Cluster, user string) *webhdfs.Client {
	t.Helper()
	client, err := webhdfs.Open(t.Context(), webhdfs.Config{Authority: c.NameNodeHTTP(0), User: user})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// put writes files owned by alice.
func put(t *testing.T, c *hdfstest.Cluster, files map[string][]byte, pairs ...string) {
	t.Helper()
	must(t, c.Put(t.Context(), files, pairs...))
}

func read(ctx context.Context, c *webhdfs.Client, path string, offset int64) ([]byte, error) {
	r, err := c.Open(ctx, path, offset)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func TestReads(t *testing.T) {
	cluster := plain(t)
	files := map[string][]byte{
		"/reads/empty":          nil,
		"/reads/a b;c%41+&=?#ü": []byte("awkward"),
		"/reads/long":           bytes.Repeat([]byte("0123456789abcdef"), 1<<18),
	}
	put(t, cluster, files)
	client := open(t, cluster, "alice")
	for path, want := range files {
		info, err := client.Stat(t.Context(), path)
		if err != nil || info.Size != int64(len(want)) || info.ID == 0 || info.Refused != nil {
			t.Errorf("%s is %+v, %v", path, info, err)
		}
		for _, offset := range []int64{0, 1, 100, int64(len(want)), 1 << 40} {
			got, err := read(t.Context(), client, path, offset)
			if err != nil || !bytes.Equal(got, want[min(offset, int64(len(want))):]) {
				t.Errorf("%s from %d: %d bytes, %v", path, offset, len(got), err)
			}
		}
	}
	if _, err := read(t.Context(), client, "/reads/none", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := read(t.Context(), client, "/reads", 0); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
}

func TestLists(t *testing.T) {
	cluster := plain(t)
	files := map[string][]byte{}
	for i := range 40 {
		files[fmt.Sprintf("/lists/%03d", i)] = nil
	}
	put(t, cluster, files)
	client := open(t, cluster, "alice")
	var names []string
	for info, err := range client.ReadDir(t.Context(), "/lists") {
		must(t, err)
		names = append(names, info.Name)
	}
	if len(names) != 40 || !slices.IsSorted(names) {
		t.Errorf("listed: %q", names)
	}
	for path, want := range map[string]error{"/none": fs.ErrNotExist, "/lists/001": fs.ErrInvalid} {
		var last error
		for _, err := range client.ReadDir(t.Context(), path) {
			last = err
		}
		if !errors.Is(last, want) {
			t.Errorf("listing %s: %v", path, last)
		}
	}
}

func TestMayRead(t *testing.T) {
	cluster := plain(t)
	files := map[string][]byte{}
	var paths []string
	for i := range 200 {
		path := fmt.Sprintf("/mayread/%03d", i)
		files[path] = []byte("x")
		paths = append(paths, path)
	}
	put(t, cluster, files)
	client := open(t, cluster, "service")
	must(t, client.MayRead(t.Context(), "alice", slices.Values(paths)))
	for _, path := range []string{paths[77], paths[90], paths[199]} {
		_, err := cluster.Web(t.Context(), "PUT", path, "op", "SETPERMISSION", "permission", "600")
		must(t, err)
	}
	err := client.MayRead(t.Context(), "alice", slices.Values(paths))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), paths[77]) {
		t.Errorf("three files without r: %v", err)
	}
	if err := client.MayRead(t.Context(), "alice", slices.Values([]string{"/mayread/none"})); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := read(t.Context(), open(t, cluster, "alice"), paths[90], 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("reading without r: %v", err)
	}
}

func TestACL(t *testing.T) {
	cluster := plain(t)
	put(t, cluster, map[string][]byte{"/acl/file": []byte("x")})
	_, err := cluster.Web(t.Context(), "PUT", "/acl/file", "op", "SETACL", "aclspec", "user::rw-,user:bob:r--,group::---,mask::r--,other::---")
	must(t, err)
	acl, err := open(t, cluster, "bob").ACL(t.Context(), "/acl/file")
	if err != nil || !slices.Contains(acl.Entries, "user:bob:r--") || acl.Owner == "" {
		t.Errorf("%+v, %v", acl, err)
	}
	if _, err := read(t.Context(), open(t, cluster, "bob"), "/acl/file", 0); err != nil {
		t.Errorf("bob, allowed by the ACL: %v", err)
	}
	if _, err := read(t.Context(), open(t, cluster, "carol"), "/acl/file", 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("carol, not allowed: %v", err)
	}
}
