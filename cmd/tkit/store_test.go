package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/access"
	"tkit/access/audit"
	"tkit/internal/hdfs"
	"tkit/internal/hdfs/hdfstest"
)

var (
	believing = hdfstest.Shared(hdfstest.Config{DataNodes: 1,
		Core: map[string]string{"hadoop.user.group.static.mapping.overrides": who() + "=team;hdfs=supergroup"}})
	secure = hdfstest.Shared(hdfstest.Config{DataNodes: 1, Kerberos: true})
)

// who is the account that runs the tests.
func who() string {
	self, err := access.Self()
	if err != nil {
		panic(err)
	}
	return self.Name()
}

func TestMain(m *testing.M) {
	if os.Getenv(asTkit) != "" {
		main()
		return
	}
	os.Exit(hdfstest.Main(m))
}

// newStored is a guarded home whose dataset scans lies in a cluster, which the
// test's environment names. Nobody but olga has a right.
func newStored(t *testing.T, cluster *hdfstest.Cluster) *guarded {
	t.Helper()
	g := newGuardedAt(t, func(local string) string {
		t.Setenv("HADOOP_CONF_DIR", cluster.ConfDir())
		for _, name := range []string{"HADOOP_USER_NAME", "HADOOP_PROXY_USER", "TKIT_PRINCIPAL", "KRB5_CLIENT_KTNAME", "KRB5CCNAME"} {
			t.Setenv(name, "")
		}
		root := "/" + t.Name() + "/scans"
		thin(t, local, 15)
		upload(t, cluster, local, root)
		return "webhdfs://" + cluster.NameNodeHTTP(0) + root
	})
	return g
}

// thin leaves so many images of each class, if each image takes much time.
func thin(t *testing.T, local string, keep int) {
	t.Helper()
	classes, err := filepath.Glob(filepath.Join(local, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		images, err := filepath.Glob(filepath.Join(class, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range images[keep:] {
			if err := os.Remove(image); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// upload copies a folder into a cluster, for all to read.
func upload(t *testing.T, cluster *hdfstest.Cluster, local, root string) {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(local), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path.Join(root, name)], err = os.ReadFile(filepath.Join(local, name))
		}
		return err
	})
	if err == nil {
		err = cluster.Put(t.Context(), files)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lastDecision is the last record of the audit log.
func (g *guarded) lastDecision(t *testing.T) (last audit.Record) {
	t.Helper()
	for r, err := range g.authority.Log().Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	return last
}

// readAs runs a command whose store reads as somebody else than asks.
func (g *guarded) readAs(t *testing.T, user string, args ...string) {
	t.Helper()
	err := g.refused(t, args...)
	for _, word := range []string{"read as " + user, string(g.me) + " asks", "HADOOP_USER_NAME", "kinit " + g.me.Name()} {
		if err != nil && !strings.Contains(err.Error(), word) {
			t.Errorf("%v lacks %q", err, word)
		}
	}
	if last := g.lastDecision(t); last.Store != user || last.Who != string(g.me) || last.Outcome != audit.Denied {
		t.Errorf("the last decision is %+v", last)
	}
}

// A cluster without Kerberos believes any name: one that is not of who asks is
// refused, wherever restricted data is found.
func TestStoreOfAnother(t *testing.T) {
	g := newStored(t, believing(t))
	g.olga(t, "train,read")
	train := func(data string) []string { return append(quickly, "--name", "m", "--data", data) }
	t.Setenv("HADOOP_USER_NAME", "bob")
	g.readAs(t, "bob", train("scans")...)
	g.readAs(t, "bob", "datasets", "check", "scans")
	native := "hdfs://" + believing(t).NameNode(0) + "/" + t.Name() + "/scans"
	g.readAs(t, "bob", train(native)...)
	if n := versions(t, g.home, "m"); n != 0 {
		t.Errorf("%d versions", n)
	}
	t.Setenv("HADOOP_USER_NAME", "")
	mustRun(t, g.home, train("scans")...)
	mustRun(t, g.home, "datasets", "check", native)
	mustRun(t, g.home, "datasets", "check", "scans")
	if last := g.lastDecision(t); last.Store != g.me.Name() || last.Action != "check" || last.Outcome != audit.Allowed {
		t.Errorf("the last decision is %+v", last)
	}
	// A copy elsewhere is known by its content, once that has been read.
	copied := "webhdfs://" + believing(t).NameNodeHTTP(0) + "/" + t.Name() + "/copied"
	upload(t, believing(t), g.data, "/"+t.Name()+"/copied")
	t.Setenv("HADOOP_USER_NAME", "bob")
	g.readAs(t, "bob", "datasets", "check", copied)
	g.readAs(t, "bob", train(copied)...)
}

// newTicketed is a home with its data on the secure cluster, for which there are
// keys, and a right to train.
func newTicketed(t *testing.T) (*guarded, *hdfstest.Cluster) {
	t.Helper()
	cluster := secure(t)
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := cluster.WriteKerberosConfig(conf, time.Hour); err != nil {
		t.Fatal(err)
	}
	g := newStored(t, cluster)
	g.olga(t, "train")
	t.Setenv("KRB5_CONFIG", conf)
	t.Setenv("KRB5_CLIENT_KTNAME", cluster.Keytab())
	return g, cluster
}

// With Kerberos the cluster decides who reads: the ticket's owner, or the user for
// whom a service acts.
func TestTicketOfAnother(t *testing.T) {
	g, cluster := newTicketed(t)
	train := append(quickly, "--name", "m", "--data", "scans")
	t.Setenv("TKIT_PRINCIPAL", "alice")
	g.readAs(t, "alice", train...)
	native := "hdfs://" + cluster.NameNode(0) + "/" + t.Name() + "/scans"
	g.readAs(t, "alice", append(quickly, "--name", "m", "--data", native)...)

	t.Setenv("TKIT_PRINCIPAL", hdfstest.Service)
	g.readAs(t, hdfstest.Service, train...)
	t.Setenv("HADOOP_PROXY_USER", "alice")
	g.readAs(t, "alice", train...)
	t.Setenv("HADOOP_PROXY_USER", g.me.Name())
	mustRun(t, g.home, train...)
	if last := g.lastDecision(t); last.Store != g.me.Name() || last.Outcome != audit.Allowed {
		t.Errorf("the last decision is %+v", last)
	}

	// The home's owner may know that the service reads for the account.
	t.Setenv("HADOOP_PROXY_USER", "")
	g.isReadBy(t, hdfstest.Service)
	mustRun(t, g.home, train...)
	if n := versions(t, g.home, "m"); n != 2 {
		t.Errorf("%d versions", n)
	}
}

// isReadBy lets a user of the store read on behalf of the test's user.
func (g *guarded) isReadBy(t *testing.T, user string) {
	t.Helper()
	names, err := json.Marshal(map[string]any{"store-users": map[string][]string{string(g.me): {user}}}) // which is YAML
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(g.home, "access")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "store-users.yaml"), names, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Groups named on a dataset in HDFS are the cluster's, and no others; where the
// home lists groups, those.
func TestGroupsOfTheCluster(t *testing.T) {
	g := newStored(t, believing(t))
	here, err := access.SystemGroups{}.Of(t.Context(), g.me)
	if err != nil || len(here) == 0 {
		t.Fatal(here, err)
	}
	give := func(group access.Principal, r access.Right) {
		t.Helper()
		given := access.Grant{Object: "dataset:scans", Effect: access.Allow, Principal: group, Right: r}
		if _, err := g.authority.AddGrant(t.Context(), access.Caller{Principal: "user:olga"}, given); err != nil {
			t.Fatal(err)
		}
	}
	give(here[0], access.Read)
	g.refused(t, "datasets", "check", "scans")
	give("group:team", access.Read)
	mustRun(t, g.home, "datasets", "check", "scans")
	give("group:team", access.List)
	if out := mustRun(t, g.home, "datasets", "show", "scans"); !strings.Contains(out, "allows group:team to read") {
		t.Errorf("show: %s", out)
	}
	if out := mustRun(t, g.home, "datasets", "list"); !strings.Contains(out, "scans") {
		t.Errorf("list: %s", out)
	}
	if last := g.lastDecision(t); last.Action != "list" || len(last.Data) != 1 || last.Outcome != audit.Allowed {
		t.Errorf("the last decision is %+v", last)
	}
	folder := filepath.Join(g.home, "access")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "groups.yaml"), []byte("groups: {team: ['user:bob']}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	g.refused(t, "datasets", "check", "scans")
}

// asMe has the secure cluster's service act for the test's own user, who is
// nobody special there, and gives that user the right to train.
func asMe(t *testing.T) (*guarded, func(file, permission string)) {
	t.Helper()
	g, cluster := newTicketed(t)
	t.Setenv("TKIT_PRINCIPAL", hdfstest.Service)
	t.Setenv("HADOOP_PROXY_USER", g.me.Name())
	return g, func(file, permission string) {
		t.Helper()
		if _, err := cluster.Web(context.Background(), "PUT", path.Join("/", t.Name(), file), "op", "SETPERMISSION", "permission", permission); err != nil {
			t.Error(err)
		}
	}
}

// withheld checks that a run ended since the store lets its user read no more,
// that nothing was registered, and that both were written down.
func (g *guarded) withheld(t *testing.T, err error, words ...string) {
	t.Helper()
	g.withheldFrom(t, g.me.Name(), err, words...)
}

func (g *guarded) withheldFrom(t *testing.T, user string, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if !errors.Is(err, access.ErrDenied) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), word) {
			t.Errorf("%v, want a refusal with %q", err, word)
		}
	}
	if n := versions(t, g.home, "m"); n != 0 {
		t.Errorf("%d versions were registered", n)
	}
	if last := g.lastDecision(t); last.Outcome != audit.Denied || last.Who != string(g.me) || last.Store != user || !strings.Contains(last.Reason, "the store") {
		t.Errorf("the last decision is %+v", last)
	}
}

// One file that HDFS keeps from the user refuses the whole run, whether the
// dataset is known by its name or only by its content.
func TestStoreWithholdsAFile(t *testing.T) {
	g, permit := asMe(t)
	one := "scans/1/" + firstIn(t, filepath.Join(g.data, "1"))
	train := append(quickly, "--name", "m", "--data")
	permit(one, "600")
	_, _, err := tkit(t, g.home, append(train, "scans")...)
	g.withheld(t, err, path.Base(one), "must be readable as a whole")

	permit(one, "644")
	mustRun(t, g.home, append(quickly, "--name", "known", "--data", "scans")...)
	upload(t, secure(t), g.data, "/"+t.Name()+"/copied")
	copied := "webhdfs://" + secure(t).NameNodeHTTP(0) + "/" + t.Name() + "/copied"
	upload(t, secure(t), filepath.Join(g.data, "1"), "/"+t.Name()+"/copied/more")
	for _, name := range filesIn(t, filepath.Join(g.data, "1")) {
		permit("copied/more/"+name, "600")
	}
	_, _, err = tkit(t, g.home, append(train, copied)...)
	g.withheld(t, err, "more/", "must be readable as a whole")
}

// writeNative stores many files in the secure cluster: by Hadoop's own protocol, since
// over HTTP each is a login.
func writeNative(t *testing.T, cluster *hdfstest.Cluster, conf string, files map[string][]byte) {
	t.Helper()
	superuser, err := hdfs.Open(t.Context(), hdfs.Config{ConfDir: cluster.ConfDir(),
		Kerberos: hdfs.Kerberos{Principal: hdfstest.Superuser, Keytab: cluster.Keytab(), Config: conf}})
	if err != nil {
		t.Fatal(err)
	}
	defer superuser.Close()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for name, b := range files {
		group.Go(func() error { return superuser.WriteFile(ctx, name, bytes.NewReader(b)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// So it is for one file of 1,000 by Hadoop's own protocol, and when HDFS gives
// that file too, nothing else is in the way.
func TestOneOfAThousandIsWithheld(t *testing.T) {
	cluster := secure(t)
	root := "/" + t.Name() + "/scans"
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := cluster.WriteKerberosConfig(conf, time.Hour); err != nil {
		t.Fatal(err)
	}
	g := newGuardedAt(t, func(local string) string {
		files := map[string][]byte{}
		for _, class := range []string{"1", "2"} {
			names := filesIn(t, filepath.Join(local, class))
			for i := range 500 {
				b, err := os.ReadFile(filepath.Join(local, class, names[i%len(names)]))
				if err != nil {
					t.Fatal(err)
				}
				files[fmt.Sprintf("%s/%s/%04d.png", root, class, i)] = b
			}
		}
		writeNative(t, cluster, conf, files)
		return "hdfs://" + cluster.NameNode(0) + root
	})
	g.olga(t, "train")
	g.isReadBy(t, "alice")
	for name, value := range map[string]string{"HADOOP_CONF_DIR": cluster.ConfDir(), "HADOOP_USER_NAME": "", "HADOOP_PROXY_USER": "",
		"KRB5_CONFIG": conf, "KRB5_CLIENT_KTNAME": cluster.Keytab(), "KRB5CCNAME": "", "TKIT_PRINCIPAL": "alice"} {
		t.Setenv(name, value)
	}
	permit := func(permission string) {
		t.Helper()
		if _, err := cluster.Web(t.Context(), "PUT", root+"/2/0333.png", "op", "SETPERMISSION", "permission", permission); err != nil {
			t.Fatal(err)
		}
	}
	train := append(quickly, "--name", "m", "--data", "scans")
	permit("600")
	_, _, err := tkit(t, g.home, train...)
	g.withheldFrom(t, "alice", err, "2/0333.png", "must be readable as a whole")
	permit("644")
	mustRun(t, g.home, train...)
	if n := versions(t, g.home, "m"); n != 1 {
		t.Errorf("%d versions", n)
	}
}

// A folder that HDFS closes while a run goes on ends it, and one that it closes
// just before the end keeps the result out of the registry.
func TestStoreWithholdsDuringARun(t *testing.T) {
	for name, c := range map[string]struct{ epochs, words string }{
		"in the middle": {"1000000", "stopped"}, "at the end": {"1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, permit := asMe(t)
			a := app()
			began := &trigger{word: "\"epoch", f: sync.OnceFunc(func() { permit("scans", "700") })}
			a.Writer, a.ErrWriter = began, &bytes.Buffer{}
			err := a.RunContext(t.Context(), []string{"tkit", "--home", g.home, "train", "--architecture", "lenet5", "--name", "m",
				"--data", "scans", "--epochs", c.epochs, "--json"})
			g.withheld(t, err, c.words, "ermission")
		})
	}
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
