package hdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/internal/hdfs/hdfstest"
)

// plain is a cluster whose servers some tests kill and stop. Each test leaves
// all of them running.
var plain = hdfstest.Shared(hdfstest.Config{Encryption: true, HDFS: map[string]string{"dfs.blocksize": "1048576"}})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

// open returns a client of a cluster that is closed at the end of the test.
func open(t *testing.T, c *hdfstest.Cluster, config Config) *Client {
	t.Helper()
	if config.ConfDir == "" {
		config.ConfDir = c.ConfDir()
	}
	client, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// pattern returns n bytes whose values depend on their position.
func pattern(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func put(t *testing.T, c *hdfstest.Cluster, files map[string][]byte) {
	t.Helper()
	if err := c.Put(t.Context(), files); err != nil {
		t.Fatal(err)
	}
}

// putEmpty makes n files without blocks, which only the NameNode has to store,
// and returns their names.
func putEmpty(t *testing.T, c *Client, dir string, n int) (names []string) {
	t.Helper()
	if err := c.MkdirAll(t.Context(), dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.attempt(t.Context(), func(s *session) error {
		for i := range n {
			names = append(names, fmt.Sprintf("%04d", i))
			if err := s.lib.CreateEmptyFile(dir + "/" + names[i]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func web(t *testing.T, c *hdfstest.Cluster, method, path string, pairs ...string) {
	t.Helper()
	if _, err := c.Web(t.Context(), method, path, pairs...); err != nil {
		t.Fatal(err)
	}
}

func read(ctx context.Context, c *Client, path string, offset int64) ([]byte, error) {
	r, err := c.Open(ctx, path, offset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestRead(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	long := pattern(3_500_017, 1) // four blocks
	put(t, cluster, map[string][]byte{"/read/long": long, "/read/empty": nil, "/read/ü %41#?": long[:10]})
	for _, offset := range []int64{0, 1, 511, 512, 1 << 20, 1<<20 - 1, 3_500_016, 3_500_017, 1 << 40} {
		want := long[min(offset, int64(len(long))):]
		if got, err := read(t.Context(), c, "/read/long", offset); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %d: %d bytes of %d, %v", offset, len(got), len(want), err)
		}
	}
	if got, err := read(t.Context(), c, "/read/empty", 0); err != nil || len(got) != 0 {
		t.Errorf("empty: %d bytes, %v", len(got), err)
	}
	if got, err := read(t.Context(), c, "/read/ü %41#?", 0); err != nil || !bytes.Equal(got, long[:10]) {
		t.Errorf("odd name: %q, %v", got, err)
	}
	for path, want := range map[string]error{"/read/none": fs.ErrNotExist, "/read": fs.ErrInvalid} {
		var named *fs.PathError
		if _, err := read(t.Context(), c, path, 0); !errors.Is(err, want) || !errors.As(err, &named) || named.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			offset := int64(i * 100_000)
			if got, err := read(t.Context(), c, "/read/long", offset); err != nil || !bytes.Equal(got, long[offset:]) {
				t.Errorf("at once, from %d: %d bytes, %v", offset, len(got), err)
			}
		})
	}
	group.Wait()
}

// A block that is longer than one request to a DataNode. After a partial read
// the connection is reused.
func TestPieces(t *testing.T) {
	c := open(t, plain(t), Config{})
	content := pattern(6*firstPiece+1234, 2)
	must(t, c.attempt(t.Context(), func(s *session) error {
		w, err := s.lib.CreateFile("/pieces", 3, 8*firstPiece, 0o644)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		return finish(t.Context(), w)
	}))
	for _, offset := range []int64{0, 1, firstPiece - 1, firstPiece, 3*firstPiece + 511} {
		if got, err := read(t.Context(), c, "/pieces", offset); err != nil || !bytes.Equal(got, content[offset:]) {
			t.Errorf("from %d: %d bytes of %d, %v", offset, len(got), len(content)-int(offset), err)
		}
	}
	for range 3 {
		c.dataNodes.close()
		c.dataNodes.mu.Lock()
		c.dataNodes.closed = false
		c.dataNodes.mu.Unlock()
		r, err := c.Open(t.Context(), "/pieces", 2*firstPiece)
		must(t, err)
		got := make([]byte, firstPiece)
		_, err = io.ReadFull(r, got)
		must(t, err)
		must(t, r.Close())
		waiting := len(c.dataNodes.waiting())
		if waiting != 1 || !bytes.Equal(got, content[2*firstPiece:3*firstPiece]) {
			t.Errorf("%d connections wait", waiting)
		}
	}
}

// waiting returns the idle connections, which a timer closes at any time.
func (d *dataNodes) waiting() (all []*dataConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conns := range d.idle {
		all = append(all, conns...)
	}
	return all
}

// A file of many blocks.
func TestManyBlocks(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	content := pattern(30<<20, 3) // of the cluster's megabyte
	put(t, cluster, map[string][]byte{"/many": content})
	if got, err := read(t.Context(), c, "/many", 0); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
}

// A directory that the NameNode lists in several batches.
func TestReadDir(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	want := putEmpty(t, c, "/list", 1200)
	var got []string
	for info, err := range c.ReadDir(t.Context(), "/list") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
		if info.Size != 0 || info.Directory || info.Refused != nil || info.ID == 0 {
			t.Errorf("%+v", info)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d names of %d", len(got), len(want))
	}
	for path, want := range map[string]error{"/list/0000": fs.ErrInvalid, "/list/none": fs.ErrNotExist} {
		var failed error
		for _, err := range c.ReadDir(t.Context(), path) {
			failed = err
		}
		if !errors.Is(failed, want) {
			t.Errorf("%s: %v", path, failed)
		}
	}
}

func TestWriteFile(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	for i, content := range [][]byte{pattern(2_500_000, 2), nil, pattern(10, 3)} {
		if err := c.WriteFile(t.Context(), "/write/a/b", bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := read(t.Context(), c, "/write/a/b", 0); err != nil || !bytes.Equal(got, content) {
			t.Errorf("content %d: %d bytes of %d, %v", i, len(got), len(content), err)
		}
	}
	broken := io.MultiReader(strings.NewReader("part"), &failing{})
	if err := c.WriteFile(t.Context(), "/write/a/c", broken); !errors.Is(err, errBroken) {
		t.Errorf("a source that breaks: %v", err)
	}
	for info, err := range c.ReadDir(t.Context(), "/write/a") {
		if err != nil || info.Name != "b" {
			t.Errorf("left over: %s, %v", info.Name, err)
		}
	}
	if err := c.RemoveAll(t.Context(), "/write"); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat(t.Context(), "/write"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its removal: %v", err)
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errBroken }

// Files that the library would read wrongly.
func TestRefused(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	plainText := pattern(100_000, 4)

	web(t, cluster, "PUT", "/zone", "op", "MKDIRS")
	if err := c.call(t.Context(), "zone", "/zone", func(s *session) error {
		_, err := execute(s.lib, "createEncryptionZone", map[string]any{"src": "/zone", "keyName": hdfstest.EncryptionKey})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	web(t, cluster, "PUT", "/coded", "op", "MKDIRS")
	web(t, cluster, "PUT", "/", "op", "ENABLEECPOLICY", "ecpolicy", "XOR-2-1-1024k")
	web(t, cluster, "PUT", "/coded", "op", "SETECPOLICY", "ecpolicy", "XOR-2-1-1024k")
	put(t, cluster, map[string][]byte{"/zone/x": plainText, "/coded/x": plainText})

	s, err := c.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	web(t, cluster, "PUT", "/writing", "op", "MKDIRS")
	w, err := s.lib.Create("/writing/x")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(plainText); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}

	for dir, want := range map[string]string{"/zone": "encryption zone", "/coded": "erasure", "/writing": "open for write"} {
		b, err := read(t.Context(), c, dir+"/x", 0)
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) || len(b) > 0 {
			t.Errorf("%s: %d bytes, %v", dir, len(b), err)
		}
		for info, err := range c.ReadDir(t.Context(), dir) {
			if err != nil || !errors.Is(info.Refused, ErrRefused) {
				t.Errorf("%s is listed as %+v, %v", dir, info, err)
			}
		}
	}
	for dir, want := range map[string]string{"/zone": "encryption zone", "/coded": "erasure"} {
		if err := c.WriteFile(t.Context(), dir+"/y", bytes.NewReader(plainText)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("writing below %s: %v", dir, err)
		}
	}
}

// The NameNode decides for the named user.
func TestMayRead(t *testing.T) {
	cluster := plain(t)
	root := open(t, cluster, Config{})
	var all []string
	for _, name := range putEmpty(t, root, "/may/open", 1000) {
		all = append(all, "/may/open/"+name)
	}
	put(t, cluster, map[string][]byte{"/may/shut/x": []byte("x"), all[777]: []byte("x")})
	alice := open(t, cluster, Config{User: "alice"})
	if err := root.MayRead(t.Context(), "alice", slices.Values(all)); err != nil {
		t.Errorf("all may be read: %v", err)
	}
	web(t, cluster, "PUT", all[777], "op", "SETPERMISSION", "permission", "600")
	web(t, cluster, "PUT", "/may/shut", "op", "SETPERMISSION", "permission", "700")
	for _, asked := range []*Client{root, alice} {
		err := asked.MayRead(t.Context(), "alice", slices.Values(all))
		var named *fs.PathError
		if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &named) || named.Path != all[777] {
			t.Errorf("one of 1,000 is shut: %v", err)
		}
	}
	if err := root.MayRead(t.Context(), root.User(), slices.Values(all)); err != nil {
		t.Errorf("the superuser: %v", err)
	}
	for _, path := range []string{all[777], "/may/shut/x"} {
		if b, err := read(t.Context(), alice, path, 0); !errors.Is(err, fs.ErrPermission) || len(b) > 0 {
			t.Errorf("alice reads %s: %q, %v", path, b, err)
		}
	}
	// ACLs are also decided by the NameNode.
	web(t, cluster, "PUT", all[777], "op", "MODIFYACLENTRIES", "aclspec", "user:alice:r--")
	if err := root.MayRead(t.Context(), "alice", slices.Values(all)); err != nil {
		t.Errorf("with an ACL: %v", err)
	}
	if b, err := read(t.Context(), alice, all[777], 0); err != nil || string(b) != "x" {
		t.Errorf("with an ACL alice reads %q, %v", b, err)
	}
	if err := root.MayRead(t.Context(), "alice", slices.Values([]string{"/may/none"})); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A replica that is corrupt on disk is detected and another is read. The
// library alone returns its bytes unchecked.
func TestCorruptReplica(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{Budget: 10 * time.Second})
	content := pattern(300_007, 5)
	corrupt := func(nodes ...int) {
		for _, i := range nodes {
			for _, block := range blocksOf(t, cluster, i, int64(len(content))) {
				b, err := os.ReadFile(block)
				if err != nil {
					t.Fatal(err)
				}
				b[150_000] ^= 1
				b[len(b)-1] ^= 1
				if err := os.WriteFile(block, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	put(t, cluster, map[string][]byte{"/corrupt/x": content})
	corrupt(0, 1)
	for range 4 {
		if got, err := read(t.Context(), c, "/corrupt/x", 0); err != nil || !bytes.Equal(got, content) {
			t.Errorf("two replicas of three are wrong: %d bytes of %d, %v", len(got), len(content), err)
		}
	}
	corrupt(2)
	got, err := read(t.Context(), c, "/corrupt/x", 0)
	if err == nil || !bytes.Equal(got, content[:len(got)]) {
		t.Errorf("all replicas are wrong: %d bytes, %v", len(got), err)
	}
}

// blocksOf finds a DataNode's blocks of one size. It retries until it finds
// some: a DataNode moves a block when its file is closed, and a concurrent walk
// can miss it in both places.
func blocksOf(t *testing.T, c *hdfstest.Cluster, node int, size int64) (found []string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(found) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no block of %d bytes on DataNode %d", size, node)
		}
		err := filepath.WalkDir(c.DataDir(node), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // moved meanwhile
			}
			if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "blk_") || strings.HasSuffix(d.Name(), ".meta") {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Size() == size {
				found = append(found, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return found
}
