package hdfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"tkit/internal/hdfs/hdfstest"
)

// must fails the test at once.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ready waits until all servers of the cluster are up again.
func ready(t *testing.T, c *hdfstest.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, c.WaitReady(ctx))
}

// begin opens a file and reads its first bytes.
func begin(t *testing.T, c *Client, path string) (*Reader, []byte) {
	t.Helper()
	r, err := c.Open(t.Context(), path, 0)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	b := make([]byte, 1000)
	_, err = io.ReadFull(r, b)
	must(t, err)
	return r, b
}

// replicated waits until every DataNode has reported its replica of every
// block. A file is closed when one replica is finished, and a DataNode that is
// killed before it finishes its own comes back without it.
func replicated(t *testing.T, c *Client, path string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		r, err := c.Open(t.Context(), path, 0)
		must(t, err)
		r.Close()
		missing := slices.IndexFunc(r.file.blocks, func(b block) bool { return len(b.nodes) < 3 })
		if missing < 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("block %d of %s is on %q", missing, path, r.file.blocks[missing].nodes)
		}
	}
}

func TestDataNodesLostDuringARead(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	content := pattern(20_000_003, 1)
	put(t, cluster, map[string][]byte{"/lost/x": content})
	for _, lost := range [][]int{{0}, {1, 2}} {
		replicated(t, c, "/lost/x")
		r, head := begin(t, c, "/lost/x")
		for _, i := range lost {
			must(t, cluster.KillDataNode(i))
		}
		rest, err := io.ReadAll(r)
		if got := append(head, rest...); err != nil || !bytes.Equal(got, content) {
			t.Errorf("without %d: %d bytes of %d, %v", lost, len(got), len(content), err)
		}
		for _, i := range lost {
			must(t, cluster.StartDataNode(i))
		}
		ready(t, cluster)
	}
}

func TestAllDataNodesLostAndBack(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	content := pattern(20_000_003, 2)
	put(t, cluster, map[string][]byte{"/all/x": content})
	replicated(t, c, "/all/x")
	r, head := begin(t, c, "/all/x")
	for i := range 3 {
		must(t, cluster.KillDataNode(i))
	}
	hasty := open(t, cluster, Config{Budget: time.Second})
	b, err := read(t.Context(), hasty, "/all/x", 0)
	if !errors.Is(err, ErrUnavailable) || !bytes.Equal(b, content[:len(b)]) {
		t.Errorf("while all are away: %d bytes, %v", len(b), err)
	}
	for i := range 3 {
		must(t, cluster.StartDataNode(i))
	}
	rest, err := io.ReadAll(r)
	if got := append(head, rest...); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after they are back: %d bytes of %d, %v", len(got), len(content), err)
	}
	ready(t, cluster)
}

func TestNameNodeRestarted(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	content := pattern(5_000_003, 3)
	put(t, cluster, map[string][]byte{"/restart/x": content})
	r, head := begin(t, c, "/restart/x")
	must(t, cluster.KillNameNode(0))
	hasty := &Client{settings: c.settings, nameNodes: nameNodes{addresses: c.nameNodes.order()}}
	hasty.settings.budget = 200 * time.Millisecond
	if _, err := hasty.Stat(t.Context(), "/restart/x"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("while it is away: %v", err)
	}
	must(t, cluster.StartNameNode(0))
	rest, err := io.ReadAll(r)
	if got := append(head, rest...); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file that was open: %d bytes of %d, %v", len(got), len(content), err)
	}
	if got, err := read(t.Context(), c, "/restart/x", 7); err != nil || !bytes.Equal(got, content[7:]) {
		t.Errorf("a new read: %d bytes of %d, %v", len(got), len(content), err)
	}
	ready(t, cluster)
}

func TestServersHung(t *testing.T) {
	cluster := plain(t)
	content := pattern(20_000_003, 4)
	put(t, cluster, map[string][]byte{"/hung/x": content})
	c := open(t, cluster, Config{CallTimeout: 2 * time.Second})
	for _, server := range []struct {
		name          string
		pause, resume func() error
	}{
		{"NameNode", func() error { return cluster.PauseNameNode(0) }, func() error { return cluster.ResumeNameNode(0) }},
		{"DataNodes", each3(cluster.PauseDataNode), each3(cluster.ResumeDataNode)},
	} {
		r, head := begin(t, c, "/hung/x")
		must(t, server.pause())
		resumed := time.AfterFunc(5*time.Second, func() { server.resume() })
		rest, err := io.ReadAll(r)
		if got := append(head, rest...); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s hung during a read: %d bytes of %d, %v", server.name, len(got), len(content), err)
		}
		if got, err := read(t.Context(), c, "/hung/x", 0); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s hung before a read: %d bytes of %d, %v", server.name, len(got), len(content), err)
		}
		resumed.Stop()
		must(t, server.resume())
		ready(t, cluster)
	}

	// A caller with a deadline does not wait longer.
	must(t, cluster.PauseNameNode(0))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Stat(ctx, "/hung/x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	must(t, cluster.ResumeNameNode(0))
	ready(t, cluster)
}

func each3(f func(int) error) func() error {
	return func() error { return errors.Join(f(0), f(1), f(2)) }
}

// Idle connections may have been closed by the peer.
func TestLostWhileIdle(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{Budget: 10 * time.Second})
	content := pattern(100_000, 5)
	put(t, cluster, map[string][]byte{"/silent/x": content})
	check := func(name string, r *Reader) {
		t.Helper()
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(content), err)
		}
	}
	r, err := c.Open(t.Context(), "/silent/x", 0)
	must(t, err)
	check("at first", r)
	r, err = c.Open(t.Context(), "/silent/x", 0)
	must(t, err)
	c.mu.Lock()
	sessions := slices.Clone(c.idle)
	c.mu.Unlock()
	waiting := c.dataNodes.waiting()
	if len(sessions) == 0 || len(waiting) == 0 {
		t.Fatal("nothing waits for its next use")
	}
	for _, s := range sessions {
		s.name.Conn.Close()
	}
	for _, conn := range waiting {
		must(t, conn.Conn.(*patient).Conn.(*net.TCPConn).CloseRead())
	}
	check("opened before", r)
	r, err = c.Open(t.Context(), "/silent/x", 0)
	must(t, err)
	check("opened after", r)
}

// A read never mixes two files, whenever the path is replaced.
func TestReplaced(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	first, second := pattern(100_000, 6), pattern(100_000, 7)
	for name, replace := range map[string]func(path string){
		"renamed over": func(path string) {
			must(t, c.WriteFile(t.Context(), path+".new", bytes.NewReader(second)))
			must(t, c.Rename(t.Context(), path+".new", path))
		},
		"written again": func(path string) { put(t, cluster, map[string][]byte{path: second}) },
		"appended to": func(path string) {
			s, err := c.take(t.Context())
			must(t, err)
			defer s.close()
			w, err := s.lib.Append(path)
			must(t, err)
			_, err = w.Write(second)
			must(t, err)
			must(t, finish(t.Context(), w))
		},
	} {
		path := "/replaced/x"
		put(t, cluster, map[string][]byte{path: first})
		info, err := c.Stat(t.Context(), path)
		must(t, err)
		r, err := c.Open(t.Context(), path, 0)
		must(t, err)
		replace(path)
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, first) || err != nil && !errors.Is(err, ErrReplaced) {
			t.Errorf("%s between opening and reading: %d bytes, %v", name, len(got), err)
		}
		r.Close()
		now, err := c.Stat(t.Context(), path)
		if err != nil || now.Identity() == info.Identity() {
			t.Errorf("%s: identity %s as before, %v", name, now.Identity(), err)
		}
	}
}

// A file that was truncated and appended to its former size has a different
// identity.
func TestTruncated(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	const path = "/truncated/x"
	put(t, cluster, map[string][]byte{path: pattern(100_000, 9)})
	layoutOf := func() (l layout) {
		t.Helper()
		must(t, c.call(t.Context(), "open", path, func(s *session) (err error) {
			l, err = c.locate(s, path)
			return err
		}))
		return l
	}
	before := layoutOf()
	if !before.same(layoutOf()) {
		t.Error("a file is another without any change")
	}
	s, err := c.take(t.Context())
	must(t, err)
	defer s.close()
	_, err = s.lib.Truncate(path, 60_000)
	must(t, err)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // the DataNodes cut their replicas
		info, err := c.Stat(t.Context(), path)
		must(t, err)
		if info.Refused == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(info.Refused)
		}
	}
	w, err := s.lib.Append(path)
	must(t, err)
	_, err = w.Write(pattern(40_000, 10))
	must(t, err)
	must(t, finish(t.Context(), w))
	if after := layoutOf(); after.size != before.size || before.same(after) {
		t.Errorf("of %d bytes, as before: %v", after.size, after.same(before))
	}
}

// Unused sessions do not stay connected to the NameNode.
func TestSessionsExpire(t *testing.T) {
	c := open(t, plain(t), Config{})
	s := c.idle[0]
	c.expire(time.Now())
	if len(c.idle) != 1 || c.expiry == nil {
		t.Error("a session has expired before its time")
	}
	c.expire(s.idle.Add(sessionIdleTime))
	if ended, _, _ := s.state(); len(c.idle) != 0 || !ended {
		t.Error("a session has not expired")
	}
	_, err := c.Stat(t.Context(), "/")
	must(t, err)
	if len(c.idle) != 1 || c.expiry == nil {
		t.Error("the next one is not kept for a while")
	}
}

// The library's internals are where inside.go expects them.
func TestInside(t *testing.T) {
	cluster := plain(t)
	c := open(t, cluster, Config{})
	put(t, cluster, map[string][]byte{"/inside/x": pattern(100_000, 8)})
	if err := c.attempt(t.Context(), func(s *session) error {
		answer, err := execute(s.lib, "isFileClosed", map[string]any{"src": "/inside/x"})
		if err == nil && !get(answer, "result").Bool() {
			t.Error("the file is not closed")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}
