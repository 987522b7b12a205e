package hdfs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"tkit/internal/hdfs/hdfstest"
)

// secure is a cluster that accepts Kerberos tickets only.
var secure = hdfstest.Shared(hdfstest.Config{Kerberos: true, DataNodes: 1,
	Core: map[string]string{namesKey: "RULE:[1:$1](carol)s/.*/guest/ DEFAULT"}})

// kerberosConfig returns a krb5.conf that requests tickets of a given lifetime.
func kerberosConfig(t *testing.T, c *hdfstest.Cluster, life time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, c.WriteKerberosConfig(path, life))
	return path
}

// as returns a configuration with a principal's keytab.
func as(t *testing.T, c *hdfstest.Cluster, principal string) Config {
	t.Helper()
	return Config{Kerberos: Kerberos{Principal: principal, Keytab: c.Keytab(), Config: kerberosConfig(t, c, time.Hour)}}
}

// secrets writes files of alice and of the superuser.
func secrets(t *testing.T, c *hdfstest.Cluster) {
	t.Helper()
	put(t, c, map[string][]byte{"/secrets/alice": []byte("of alice"), "/secrets/none": []byte("secret")})
	for _, path := range []string{"/secrets/alice", "/secrets/none"} {
		web(t, c, "PUT", path, "op", "SETPERMISSION", "permission", "600")
	}
	web(t, c, "PUT", "/secrets/alice", "op", "SETOWNER", "owner", "alice")
}

func TestKerberos(t *testing.T) {
	cluster := secure(t)
	secrets(t, cluster)
	cache := filepath.Join(t.TempDir(), "cache")
	must(t, cluster.Kinit(cache, "alice", time.Hour))
	cached := Config{Kerberos: Kerberos{Cache: "FILE:" + cache, Config: kerberosConfig(t, cluster, time.Hour)}, User: "alice"}
	for name, config := range map[string]Config{"a keytab": as(t, cluster, "alice"), "a cache": cached} {
		c := open(t, cluster, config)
		if c.User() != "alice" {
			t.Errorf("with %s the user is %s", name, c.User())
		}
		if b, err := read(t.Context(), c, "/secrets/alice", 0); err != nil || string(b) != "of alice" {
			t.Errorf("with %s: %q, %v", name, b, err)
		}
		if b, err := read(t.Context(), c, "/secrets/none", 0); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("with %s, the superuser's file: %q, %v", name, b, err)
		}
		must(t, c.MayRead(t.Context(), "alice", slices.Values([]string{"/secrets/alice"})))
		if err := c.MayRead(t.Context(), "alice", slices.Values([]string{"/secrets/none"})); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("with %s, asked for the superuser's file: %v", name, err)
		}
		if err := c.MayRead(t.Context(), "bob", slices.Values([]string{"/secrets/alice"})); err == nil || !strings.Contains(err.Error(), "webhdfs://") {
			t.Errorf("with %s, asked for bob: %v", name, err)
		}
	}
}

// The cluster's mapping of names is that of its configuration.
func TestAuthToLocal(t *testing.T) {
	cluster := secure(t)
	put(t, cluster, map[string][]byte{"/guests": []byte("of a guest")})
	web(t, cluster, "PUT", "/guests", "op", "SETPERMISSION", "permission", "600")
	web(t, cluster, "PUT", "/guests", "op", "SETOWNER", "owner", "guest")
	for principal, want := range map[string]string{"carol": "guest", "alice": "alice", hdfstest.Superuser: "hdfs"} {
		c := open(t, cluster, as(t, cluster, principal))
		if c.User() != want {
			t.Errorf("%s is %s, want %s", principal, c.User(), want)
		}
		if b, err := read(t.Context(), c, "/guests", 0); (err == nil) != (want != "alice") {
			t.Errorf("%s reads the guest's file: %q, %v", principal, b, err)
		}
	}
}

// Environment variables that set the ticket.
func TestKerberosEnvironment(t *testing.T) {
	cluster := secure(t)
	t.Setenv("HADOOP_CONF_DIR", cluster.ConfDir())
	t.Setenv("KRB5_CONFIG", kerberosConfig(t, cluster, time.Hour))
	cache := filepath.Join(t.TempDir(), "cache")
	must(t, cluster.Kinit(cache, "bob", time.Hour))
	t.Setenv("KRB5CCNAME", cache)
	for _, c := range []struct{ keytab, principal, user string }{
		{"", "alice", "bob"},
		{"FILE:" + cluster.Keytab(), "alice", "alice"},
		{cluster.Keytab(), "alice@" + hdfstest.Realm, "alice"},
	} {
		t.Setenv("KRB5_CLIENT_KTNAME", c.keytab)
		t.Setenv("TKIT_PRINCIPAL", c.principal)
		client, err := Open(t.Context(), Config{})
		must(t, err)
		if client.User() != c.user {
			t.Errorf("%+v: it is %s", c, client.User())
		}
		client.Close()
	}
	// A keytab with one principal needs no name.
	keys := keytab.New()
	must(t, keys.AddEntry("carol", hdfstest.Realm, "secret", time.Now(), 1, etypeID.AES128_CTS_HMAC_SHA1_96))
	b, err := keys.Marshal()
	must(t, err)
	file := filepath.Join(t.TempDir(), "keytab")
	must(t, os.WriteFile(file, b, 0o600))
	if p, err := principal(file, ""); err != nil || p != "carol@"+hdfstest.Realm {
		t.Errorf("of a keytab of one: %q, %v", p, err)
	}
}

// A ticket that failed for one session remains valid for those that use it at
// the same time.
func TestForgottenTicket(t *testing.T) {
	cluster := secure(t)
	cache := filepath.Join(t.TempDir(), "cache")
	must(t, cluster.Kinit(cache, "alice", time.Hour))
	c := open(t, cluster, Config{Kerberos: Kerberos{Cache: cache, Config: kerberosConfig(t, cluster, time.Hour)}})
	using, err := c.login.client()
	must(t, err)
	c.login.forget()
	if _, _, err := using.GetServiceTicket(hdfstest.Superuser); err != nil {
		t.Errorf("who uses it: %v", err)
	}
	if next, err := c.login.client(); err != nil || next == using {
		t.Errorf("the next has the same, or %v", err)
	}
}

// Without a ticket the error comes at once and names the remedy.
func TestNoTicket(t *testing.T) {
	cluster := secure(t)
	conf, none := kerberosConfig(t, cluster, time.Hour), filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"no cache":       {Config{Kerberos: Kerberos{Cache: none, Config: conf}}, "kinit"},
		"a kernel cache": {Config{Kerberos: Kerberos{Cache: "KEYRING:persistent:0", Config: conf}}, "KEYRING"},
		"no cache in it": {Config{Kerberos: Kerberos{Cache: conf, Config: conf}}, conf},
		"no keytab":      {Config{Kerberos: Kerberos{Principal: "alice", Keytab: none, Config: conf}}, none},
		"no principal":   {Config{Kerberos: Kerberos{Keytab: cluster.Keytab(), Config: conf}}, "TKIT_PRINCIPAL"},
		"no key in it":   {Config{Kerberos: Kerberos{Principal: "mallory", Keytab: cluster.Keytab(), Config: conf}}, "mallory"},
		"another's":      {Config{Kerberos: Kerberos{Principal: "alice", Keytab: cluster.Keytab(), Config: conf}, User: "hdfs"}, "belongs to alice, not to hdfs"},
		"no krb5.conf":   {Config{Kerberos: Kerberos{Cache: none, Config: none}}, "KRB5_CONFIG"},
	} {
		c.config.ConfDir = cluster.ConfDir()
		if _, err := Open(t.Context(), c.config); !errors.Is(err, ErrLogin) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A user name alone gives no access.
func TestSpoofedUser(t *testing.T) {
	cluster := secure(t)
	t.Setenv("HADOOP_CONF_DIR", "") // nothing says that the cluster wants Kerberos
	_, err := Open(t.Context(), Config{Authority: cluster.NameNode(0), User: "hdfs", Budget: time.Second})
	if err == nil || !strings.Contains(err.Error(), "hadoop.security.authentication") {
		t.Error(err)
	}
}

// A job outlives several tickets. They are made from a keytab, or a credential
// cache is kept fresh from outside. If the cache is not, the job ends with the
// reason.
func TestTicketsEnd(t *testing.T) {
	life, job := hdfstest.Tickets(t)
	cluster := secure(t)
	secrets(t, cluster)
	conf, dir := kerberosConfig(t, cluster, life), t.TempDir()
	kept, left := filepath.Join(dir, "kept"), filepath.Join(dir, "left")
	ctx, cancel := context.WithTimeout(t.Context(), job)
	defer cancel()
	must(t, cluster.Kinit(left, "alice", life))
	ended := make(chan error)
	keep := func() (err error) {
		for err == nil && ctx.Err() == nil {
			err = cluster.Kinit(kept, "alice", life)
			wait(ctx, life/2)
		}
		return err
	}
	must(t, cluster.Kinit(kept, "alice", life))
	go func() { ended <- keep() }()
	var failed error
	for name, k := range map[string]Kerberos{
		"a keytab":             {Principal: "alice", Keytab: cluster.Keytab(), Config: conf},
		"a cache that is kept": {Cache: kept, Config: conf},
		"a cache that is left": {Cache: left, Config: conf},
	} {
		c := open(t, cluster, Config{Kerberos: k})
		go func() {
			for ctx.Err() == nil {
				c.dropIdle() // so that the ticket is shown again
				if b, err := read(t.Context(), c, "/secrets/alice", 0); err != nil || string(b) != "of alice" {
					if k.Cache == left {
						failed = err
					} else {
						t.Errorf("%s: %q, %v", name, b, err)
					}
					break
				}
				wait(ctx, 200*time.Millisecond)
			}
			ended <- nil
		}()
	}
	for range 4 {
		must(t, <-ended)
	}
	if !errors.Is(failed, ErrLogin) || !strings.Contains(failed.Error(), "kinit") {
		t.Errorf("a ticket that nobody keeps fresh: %v", failed)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Every protection of the data transfer can be read, whether or not the
// configuration mentions it. The cluster keeps the last setting.
func TestProtection(t *testing.T) {
	cluster := secure(t)
	content := pattern(3_500_017, 1)
	put(t, cluster, map[string][]byte{"/protected": content})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	config := as(t, cluster, "alice")
	config.Budget = 3 * time.Second
	check := func(what string, framed bool) {
		t.Helper()
		c := open(t, cluster, config)
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				offset := int64(i * 1_000_003)
				if b, err := read(ctx, c, "/protected", offset); err != nil || !bytes.Equal(b, content[offset:]) {
					t.Errorf("%s from %d: %d bytes or others, %v", what, offset, len(b), err)
				}
			})
		}
		group.Wait()
		for _, conn := range c.dataNodes.waiting() {
			if _, ok := conn.Conn.(frames); ok != framed {
				t.Errorf("%s: the connection is a %T", what, conn.Conn)
			}
		}
		if groups, err := c.Groups(ctx, "alice"); err != nil || !slices.Equal(groups, []string{"alice", "team"}) {
			t.Errorf("%s: alice is in %q, %v", what, groups, err)
		}
	}
	check("authentication", false)
	stale := t.TempDir()
	must(t, os.CopyFS(stale, os.DirFS(cluster.ConfDir())))
	const suites, aes = "dfs.encrypt.data.transfer.cipher.suites", "AES/CTR/NoPadding"
	must(t, cluster.Reconfigure(ctx, map[string]string{"hadoop.rpc.protection": "privacy"}, map[string]string{protectionKey: "privacy", suites: aes}))
	check("privacy by AES", false)
	must(t, cluster.Reconfigure(ctx, map[string]string{"hadoop.rpc.protection": "integrity"}, map[string]string{encryptKey: "true"}))
	check("encryption without AES, by the cipher of privacy without AES", true)
	must(t, cluster.Reconfigure(ctx, nil, map[string]string{protectionKey: "integrity"}))
	check("integrity", true)
	config.ConfDir = stale
	check("integrity of which the configuration does not tell", true)
}
