package webhdfs_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/hdfs/webhdfs"
)

// secure is a cluster that accepts Kerberos tickets only, by HTTP, HTTPS and
// through a gateway. The native client refuses its data transfer.
var secure = hdfstest.Shared(hdfstest.Config{Kerberos: true, HttpFS: true, DataNodes: 1,
	Core: map[string]string{"hadoop.security.auth_to_local": "RULE:[1:$1](carol)s/.*/guest/ DEFAULT"},
	HDFS: map[string]string{"dfs.data.transfer.protection": "privacy"}})

// An endpoint is one of the addresses of the cluster.
type endpoint struct {
	name, address string
	tls           bool
}

func endpoints(c *hdfstest.Cluster) []endpoint {
	return []endpoint{{"webhdfs", c.NameNodeHTTP(0), false}, {"swebhdfs", c.NameNodeHTTPS(0), true}, {"HttpFS", c.HttpFS(), false}}
}

// as returns a configuration with a principal's keytab.
func (d endpoint) as(t *testing.T, c *hdfstest.Cluster, principal string) webhdfs.Config {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, c.WriteKerberosConfig(conf, time.Hour))
	config := webhdfs.Config{
		Authority: d.address, TLS: d.tls, ConfDir: c.ConfDir(),
		Kerberos: hdfs.Kerberos{Principal: principal, Keytab: c.Keytab(), Config: conf},
		Budget:   10 * time.Second,
	}
	if d.tls {
		config.CAFile = c.CA()
	}
	return config
}

// secrets writes three files: anyone's, alice's and the superuser's.
func secrets(t *testing.T, c *hdfstest.Cluster) {
	t.Helper()
	put(t, c, map[string][]byte{"/secrets/open": []byte("open"), "/secrets/alice": []byte("of alice"), "/secrets/none": []byte("secret")})
	for _, path := range []string{"/secrets/alice", "/secrets/none"} {
		_, err := c.Web(t.Context(), "PUT", path, "op", "SETPERMISSION", "permission", "600")
		must(t, err)
	}
	_, err := c.Web(t.Context(), "PUT", "/secrets/alice", "op", "SETOWNER", "owner", "alice")
	must(t, err)
}

// expectAlice checks what alice may read.
func expectAlice(t *testing.T, c *webhdfs.Client) {
	t.Helper()
	for path, want := range map[string]string{"/secrets/open": "open", "/secrets/alice": "of alice"} {
		if b, err := read(t.Context(), c, path, 0); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	if b, err := read(t.Context(), c, "/secrets/none", 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the superuser's: %q, %v", b, err)
	}
	var names []string
	for info, err := range c.ReadDir(t.Context(), "/secrets") {
		must(t, err)
		names = append(names, info.Name)
	}
	if !slices.Equal(names, []string{"alice", "none", "open"}) {
		t.Errorf("listed: %q", names)
	}
	must(t, c.MayRead(t.Context(), "alice", slices.Values([]string{"/secrets/open", "/secrets/alice"})))
	if err := c.MayRead(t.Context(), "alice", slices.Values([]string{"/secrets/open", "/secrets/none"})); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("asked for the superuser's: %v", err)
	}
}

func TestKerberos(t *testing.T) {
	cluster := secure(t)
	secrets(t, cluster)
	for _, d := range endpoints(cluster) {
		t.Run(d.name, func(t *testing.T) {
			expectAlice(t, openConfig(t, d.as(t, cluster, "alice")))

			service := d.as(t, cluster, hdfstest.Service)
			service.DoAs = "alice"
			expectAlice(t, openConfig(t, service))

			// The cluster reports the user's name itself: this machine's
			// configuration has none of its rules.
			ignorant := t.TempDir()
			must(t, os.CopyFS(ignorant, os.DirFS(cluster.ConfDir())))
			site := filepath.Join(ignorant, "core-site.xml")
			b, err := os.ReadFile(site)
			must(t, err)
			must(t, os.WriteFile(site, bytes.ReplaceAll(b, []byte("auth_to_local"), []byte("other")), 0o600))
			for _, c := range []struct{ principal, doAs, want string }{
				{"alice", "", "alice"}, {hdfstest.Superuser, "", "hdfs"}, {hdfstest.Service, "alice", "alice"}, {"carol", "", "guest"},
			} {
				config := d.as(t, cluster, c.principal)
				config.ConfDir, config.DoAs = ignorant, c.doAs
				if got := openConfig(t, config).User(); got != c.want {
					t.Errorf("%s for %q is %s, want %s", c.principal, c.doAs, got, c.want)
				}
			}

			bob := openConfig(t, d.as(t, cluster, "bob"))
			err = bob.MayRead(t.Context(), "alice", slices.Values([]string{"/secrets/alice"}))
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "hadoop.proxyuser.bob") {
				t.Errorf("bob asks for alice: %v", err)
			}
			if b, err := read(t.Context(), bob, "/secrets/alice", 0); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("bob reads alice's: %q, %v", b, err)
			}
		})
	}
}

// A user name alone gives no access, neither through the client nor from any
// server.
func TestSpoofedUser(t *testing.T) {
	cluster := secure(t)
	secrets(t, cluster)
	t.Setenv("HADOOP_CONF_DIR", "") // nothing says that the cluster wants Kerberos
	servers := map[string]string{"the DataNode": cluster.DataNodeHTTP(0)}
	for _, d := range endpoints(cluster) {
		claim := webhdfs.Config{Authority: d.address, TLS: d.tls, CAFile: cluster.CA(), User: "hdfs"}
		if _, err := webhdfs.Open(t.Context(), claim); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "hadoop.security.authentication") {
			t.Errorf("%s takes a name: %v", d.name, err)
		}
		other := d.as(t, cluster, "alice")
		other.User = "hdfs"
		if _, err := webhdfs.Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "the ticket belongs to alice") {
			t.Errorf("%s takes a name beside a ticket: %v", d.name, err)
		}
		if !d.tls {
			servers[d.name] = d.address
		}
	}
	for name, address := range servers {
		r, err := http.Get("http://" + address + "/webhdfs/v1/secrets/none?op=OPEN&user.name=hdfs&namenoderpcaddress=" + cluster.NameNode(0))
		must(t, err)
		r.Body.Close()
		if r.StatusCode < 400 {
			t.Errorf("%s answers %s to a name", name, r.Status)
		}
	}
}

// A server that ignores the ticket answers without identifying the user.
func TestServerWithoutKerberos(t *testing.T) {
	cluster := secure(t)
	_, port, _ := strings.Cut(plain(t).NameNodeHTTP(0), ":")
	config := endpoint{address: "localhost:" + port}.as(t, cluster, "alice")
	if _, err := webhdfs.Open(t.Context(), config); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "does not ask for the Kerberos ticket") {
		t.Error(err)
	}
}

// A file that is open for write, read through HttpFS, which has fewer
// operations.
func TestOpenForWriteThroughHttpFS(t *testing.T) {
	cluster := secure(t)
	writer, err := cluster.BeginWrite(t.Context(), "/writing")
	must(t, err)
	client := openConfig(t, endpoints(cluster)[2].as(t, cluster, "alice"))
	if b, err := read(t.Context(), client, "/writing", 0); !errors.Is(err, hdfs.ErrRefused) {
		t.Errorf("while it is written: %q, %v", b, err)
	}
	must(t, writer.Close())
	if b, err := read(t.Context(), client, "/writing", 0); err != nil || len(b) == 0 {
		t.Errorf("once it is closed: %q, %v", b, err)
	}
}

// A job outlives several tickets. They are made from a keytab, or a credential
// cache is kept fresh from outside. If the cache is not, the job ends with the
// reason.
func TestTicketsEnd(t *testing.T) {
	life, job := hdfstest.Tickets(t)
	cluster := secure(t)
	secrets(t, cluster)
	d := endpoints(cluster)[0]
	dir := t.TempDir()
	conf, kept, left := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "kept"), filepath.Join(dir, "left")
	must(t, cluster.WriteKerberosConfig(conf, life))
	for _, cache := range []string{kept, left} {
		must(t, cluster.Kinit(cache, "alice", life))
	}
	ctx, cancel := context.WithTimeout(t.Context(), job)
	defer cancel()
	ended := make(chan error)
	go func() {
		every := time.NewTicker(life / 2)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				if err := cluster.Kinit(kept, "alice", life); err != nil {
					ended <- err
					return
				}
			case <-ctx.Done():
				ended <- nil
				return
			}
		}
	}()
	var failed error
	for name, k := range map[string]hdfs.Kerberos{
		"a keytab":             {Principal: "alice", Keytab: cluster.Keytab(), Config: conf},
		"a cache that is kept": {Cache: kept, Config: conf},
		"a cache that is left": {Cache: left, Config: conf},
	} {
		client := openConfig(t, webhdfs.Config{Authority: d.address, ConfDir: cluster.ConfDir(), Kerberos: k})
		go func() {
			every := time.NewTicker(200 * time.Millisecond)
			defer every.Stop()
			for ctx.Err() == nil {
				<-every.C
				if b, err := read(t.Context(), client, "/secrets/alice", 0); err != nil || string(b) != "of alice" {
					if k.Cache == left {
						failed = err
					} else {
						t.Errorf("%s: %q, %v", name, b, err)
					}
					break
				}
			}
			ended <- nil
		}()
	}
	for range 4 {
		must(t, <-ended)
	}
	if !errors.Is(failed, hdfs.ErrLogin) || !strings.Contains(failed.Error(), "kinit") {
		t.Errorf("a ticket that nobody keeps fresh: %v", failed)
	}
}
