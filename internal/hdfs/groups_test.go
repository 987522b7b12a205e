package hdfs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tkit/internal/fuzztest"
)

// The NameNode's mapping answers for any caller. TestProtection calls it under
// every RPC protection.
func TestGroups(t *testing.T) {
	ask := func(name string, c *Client) {
		t.Helper()
		for user, want := range map[string][]string{"alice": {"alice", "team"}, "carol": {"carol"}, "nobody-knows-me": nil} {
			got, err := c.Groups(t.Context(), user)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q is in %q, %v; want %q", name, user, got, err, want)
			}
		}
		// The session remains usable.
		if _, err := c.Stat(t.Context(), "/"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ask("by name", open(t, plain(t), Config{User: "bob"}))
	cluster := secure(t)
	ask("with a ticket", open(t, cluster, as(t, cluster, "bob")))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, cluster, as(t, cluster, "bob")).Groups(ended, "alice"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// Only this call is changed, and nothing else in it.
func TestWithProtocol(t *testing.T) {
	for _, packet := range [][]byte{nil, {0, 0, 0}, []byte("hrpc\x09\x00\x00"),
		[]byte("\x00\x00\x00\x1d\x02\x08\x01\x06\x0a\x04stat\x12\x0a\x10getGroupsForUser"),
	} {
		if got := withProtocol(packet); !bytes.Equal(got, packet) {
			t.Errorf("%q became %q", packet, got)
		}
	}
	packet := []byte("\x00\x00\x00\x22\x02\x08\x01\x12\x0a\x10getGroupsForUser\x06\x0a\x04user")
	packet[3] = byte(len(packet) - 4)
	got := withProtocol(packet)
	if !bytes.Contains(got, []byte(groupsProtocol)) || !bytes.HasSuffix(got, []byte("\x06\x0a\x04user")) || int(got[3]) != len(got)-4 {
		t.Errorf("it became %q", got)
	}
}

func FuzzWithProtocol(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x22\x02\x08\x01\x12\x0a\x10getGroupsForUser\x06\x0a\x04user"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		defer fuzztest.Watch(t, len(packet))()
		before := bytes.Clone(packet)
		withProtocol(packet)
		if !bytes.Equal(before, packet) {
			t.Error("what was given is changed")
		}
	})
}

func TestNativeAuthority(t *testing.T) {
	cluster := plain(t)
	c := Config{ConfDir: cluster.ConfDir()}
	for given, want := range map[string]string{
		"hdfs://nn:8020": "nn:8020", "webhdfs://" + cluster.NameNodeHTTP(0): cluster.NameNode(0), "webhdfs://httpfs:14000": cluster.NameNode(0), "hdfs://": cluster.NameNode(0),
	} {
		if got, err := c.NativeAuthority(given); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", given, got, err, want)
		}
	}
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	if got, err := (Config{}).NativeAuthority("webhdfs://nn:9870"); !errors.Is(err, ErrNoNameNode) {
		t.Errorf("without a configuration: %q, %v", got, err)
	}
	two := t.TempDir()
	must(t, os.WriteFile(filepath.Join(two, "hdfs-site.xml"), []byte(`<configuration>
		<property><name>dfs.nameservices</name><value>ns</value></property>
		<property><name>dfs.ha.namenodes.ns</name><value>a,b</value></property>
		<property><name>dfs.namenode.http-address.ns.b</name><value>b:9870</value></property>
		<property><name>dfs.namenode.rpc-address.ns.b</name><value>b:8020</value></property>
	</configuration>`), 0o600))
	for given, want := range map[string]string{"swebhdfs://ns": "ns", "webhdfs://b": "b:8020"} {
		if got, err := (Config{ConfDir: two}).NativeAuthority(given); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", given, got, err, want)
		}
	}
}
