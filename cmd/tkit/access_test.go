package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tkit/access"
	"tkit/access/sqlite"
	"tkit/internal/commandline"
	"tkit/internal/needs"
	"tkit/registry"
)

// A guarded home has the dataset scans, two digits' scans, which olga owns.
type guarded struct {
	home, data string
	me         access.Principal
	authority  *access.Authority
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	return newGuardedAt(t, func(local string) string { return local })
}

// newGuardedAt registers the scans where place has put them from a folder here.
func newGuardedAt(t *testing.T, place func(local string) string) *guarded {
	t.Helper()
	dir := t.TempDir()
	g := &guarded{home: filepath.Join(dir, "home"), data: filepath.Join(dir, "data", "scans")}
	mustRun(t, g.home, "datasets", "sample", "--digits", "1,2", g.data)
	mustRun(t, g.home, "datasets", "add", "--owner", "user:olga", "scans", place(g.data))
	var err error
	if g.me, err = access.Self(); err != nil {
		t.Fatal(err)
	}
	if g.authority, err = access.Open(t.Context(), g.home, sqlite.Open, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.authority.Close() })
	return g
}

// olga gives the test's own user rights, and returns how to take them back.
func (g *guarded) olga(t *testing.T, rights string) (take func()) {
	t.Helper()
	olga := access.Caller{Principal: "user:olga"}
	parsed, err := access.ParseRights(rights)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, r := range parsed {
		given, err := g.authority.AddGrant(t.Context(), olga, access.Grant{Object: "dataset:scans", Effect: access.Allow, Principal: g.me, Right: r})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, given.ID)
	}
	return func() {
		for _, id := range ids {
			if err := g.authority.RevokeGrant(context.Background(), olga, "dataset:scans", id); err != nil {
				t.Error(err)
			}
		}
	}
}

// refused runs a command that must not be allowed.
func (g *guarded) refused(t *testing.T, args ...string) error {
	t.Helper()
	_, _, err := tkit(t, g.home, args...)
	if !errors.Is(err, access.ErrDenied) {
		t.Errorf("tkit %s: %v, want a refusal", strings.Join(args, " "), err)
	}
	return err
}

var quickly = []string{"train", "--architecture", "lenet5", "--epochs", "1", "--per-class", "5"}

func TestTrainingNeedsTheRight(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	g := newGuarded(t)
	dir := filepath.Dir(filepath.Dir(g.data))
	link, copied := filepath.Join(dir, "link"), filepath.Join(dir, "copied")
	if err := errors.Join(os.Symlink(g.data, link), os.CopyFS(copied, os.DirFS(g.data))); err != nil {
		t.Fatal(err)
	}
	trainOn := func(data string) []string { return append(quickly, "--name", "m", "--data", data) }
	for _, name := range []string{"scans", "dataset:scans", g.data, "file://" + g.data, link, filepath.Dir(g.data), filepath.Join(g.data, "1")} {
		if err := g.refused(t, trainOn(name)...); err != nil && !strings.Contains(err.Error(), "user:olga owns it") {
			t.Errorf("%s: %v does not say who can help", name, err)
		}
	}
	take := g.olga(t, "train,list,use")
	mustRun(t, g.home, trainOn("scans")...)
	show := mustRun(t, g.home, "registry", "show", "--json", "m@1")
	var v registry.Version
	if err := json.Unmarshal([]byte(show), &v); err != nil {
		t.Fatal(err)
	}
	if got := v.Manifest.Lineage.Snapshots[0].Datasets; len(got) != 1 || got[0] != "scans" {
		t.Errorf("the lineage names %q", got)
	}
	if out := mustRun(t, g.home, "datasets", "snapshots", "scans"); !strings.Contains(out, "sha256:") {
		t.Errorf("snapshots: %s", out)
	}
	take()
	// The snapshot is known now, and a copy of the dataset by it.
	g.refused(t, trainOn(copied)...)
	if n := versions(t, g.home, "m"); n != 1 {
		t.Errorf("%d versions", n)
	}
	// What is derived from restricted data is kept apart, for its owner alone.
	for _, folder := range []string{"checkpoints", "bottlenecks"} {
		if _, err := os.Stat(filepath.Join(g.home, folder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s lies with what is open: %v", folder, err)
		}
	}
	if out := mustRun(t, g.home, "datasets", "audit", "verify"); !strings.Contains(out, "nothing was changed") {
		t.Errorf("audit verify: %s", out)
	}
}

func TestRestrictionsFollowTheModel(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	g := newGuarded(t)
	image := filepath.Join(g.data, "1", firstIn(t, filepath.Join(g.data, "1")))
	open := filepath.Join(filepath.Dir(g.data), "..", "open")
	mustRun(t, g.home, "datasets", "sample", "--digits", "3,4", open)
	g.olga(t, "train")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans")...)

	exported := filepath.Join(g.home, "exported")
	g.refused(t, "predict", "--model", "m@1", image)
	g.refused(t, "registry", "export", "m@1", exported)
	g.refused(t, "registry", "show", "--attachment", "sample.tar", "m@1")
	g.refused(t, "registry", "promote", "m@1")
	g.refused(t, "train", "--base", "m@1", "--data", open, "--name", "on-m", "--per-class", "5")
	g.refused(t, "datasets", "check", "scans")

	g.olga(t, "download,promote,read")
	take := g.olga(t, "use")
	mustRun(t, g.home, "predict", "--model", "m@1", image)
	mustRun(t, g.home, "registry", "promote", "m@1")
	mustRun(t, g.home, "registry", "export", "m@1", exported)
	mustRun(t, g.home, "registry", "show", "--attachment", "sample.tar", "m@1")
	mustRun(t, g.home, "datasets", "check", "scans")
	// Built on it, and built on its export, are restricted as it is.
	mustRun(t, g.home, "train", "--base", "m@1", "--data", open, "--name", "on-m", "--per-class", "5")
	mustRun(t, g.home, "train", "--base", exported, "--data", open, "--name", "on-export", "--per-class", "5")
	take()
	for _, model := range []string{"m@1", "on-m@1", "on-export@1"} {
		g.refused(t, "predict", "--model", model, image)
	}
	// Bottlenecks of a restricted base are kept apart from those of a free one.
	mustRun(t, g.home, append(quickly, "--name", "free", "--data", open)...)
	mustRun(t, g.home, "train", "--base", "free@1", "--data", open, "--name", "on-free", "--per-class", "5")
	apart := g.segments(t, "restricted/*/bottlenecks")
	if free := g.segments(t, "bottlenecks"); len(free) == 0 || len(apart) == 0 {
		t.Errorf("bottlenecks: %d apart, %d in the open", len(apart), len(free))
	}
	g.private(t)
	g.olga(t, "use")
	for _, model := range []string{"m@1", "on-m@1", "on-export@1"} {
		mustRun(t, g.home, "predict", "--model", model, image)
	}
}

// segments are the files of caches in folders of the home.
func (g *guarded) segments(t *testing.T, folders string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(g.home, folders, "*", "*.segment"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// private checks that another account enters no folder of the home and reads no
// file in it, whatever the home's own mode and the mask of who made them.
func (g *guarded) private(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(g.home, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch private := info.Mode().Perm()&0o077 == 0; {
		case !private:
			t.Errorf("%s has the mode %v", path, info.Mode())
		case e.IsDir() && path != g.home:
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func firstIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0].Name()
}

// A grant that is taken back ends the run, which registers nothing and says
// why.
func TestRevokedDuringARun(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	take := g.olga(t, "train")
	a := app()
	began := &trigger{word: "epoch", f: sync.OnceFunc(take)}
	a.Writer, a.ErrWriter = began, &bytes.Buffer{}
	err := a.RunContext(t.Context(), []string{"tkit", "--home", g.home, "train", "--architecture", "lenet5", "--name", "m",
		"--data", "scans", "--epochs", strconv.Itoa(1_000_000), "--json"})
	if !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "stopped") || !strings.Contains(err.Error(), "nothing was registered") {
		t.Errorf("the run ended with %v", err)
	}
	if n := versions(t, g.home, "m"); n != 0 {
		t.Errorf("%d versions were registered", n)
	}
	// Its intermediate results are used only by callers who may train on the
	// data.
	if left, err := filepath.Glob(filepath.Join(g.home, "restricted", "*", "checkpoints", "*")); err != nil || len(left) == 0 {
		t.Errorf("checkpoints: %v, %v", left, err)
	}
	g.private(t)
	log, err := os.ReadFile(filepath.Join(g.home, "audit", "audit-000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"action":"train"`) || !strings.Contains(last, `"denied"`) {
		t.Errorf("the last decision is %s", last)
	}
}

// A caller who may train on data but not read it gets the counts of problems,
// without names of images.
func TestTrainingNamesNoImages(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	g := newGuarded(t)
	if err := os.WriteFile(filepath.Join(g.data, "1", "mrs-smith.png"), []byte("no image"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.olga(t, "train")
	run := func(more ...string) string {
		t.Helper()
		out, told, err := tkit(t, g.home, append(append(quickly, "--name", "m", "--data", "scans"), more...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out + told
	}
	for _, more := range [][]string{nil, {"--json"}} {
		if told := run(more...); strings.Contains(told, "smith") || !strings.Contains(told, "not an image") {
			t.Errorf("without the right to read, it tells\n%s", told)
		}
	}
	g.olga(t, "read")
	if told := run(); !strings.Contains(told, "mrs-smith.png") {
		t.Errorf("with it, it tells\n%s", told)
	}
}

// A prediction for many images ends when the right to use the model ends.
func TestRevokedWhilePredicting(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.olga(t, "train")
	take := g.olga(t, "use")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans")...)
	images, err := filepath.Glob(filepath.Join(g.data, "1", "*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	a := app()
	answered := &trigger{word: images[0], f: sync.OnceFunc(take)}
	a.Writer, a.ErrWriter = answered, &bytes.Buffer{}
	args := append([]string{"tkit", "--home", g.home, "predict", "--model", "m@1"}, slices.Repeat(images[:1], 1_000_000)...)
	if err := a.RunContext(t.Context(), args); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("it ended with %v", err)
	}
	g.refused(t, "predict", "--model", "m@1", images[0])
}

// trigger calls f when a word is written. Writing takes time, as on a slow terminal: a run
// that waits for the end of a right then needs little of the processor.
type trigger struct {
	word string
	f    func()
}

func (w *trigger) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.word)) {
		w.f()
	}
	time.Sleep(10 * time.Millisecond)
	return len(b), nil
}

// A right that ends between the decision and the transaction that registers is
// noticed in the transaction.
func TestRevokedBeforeRegistration(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.olga(t, "train")
	r, err := registry.Open(t.Context(), g.home)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	permission := g.authority.NewPermission(access.Caller{Principal: g.me}, access.Needs{Data: []access.Data{{Datasets: []string{"scans"}}}})
	decided := 0
	_, err = r.Register(t.Context(), registry.Registration{
		Manifest: registry.Manifest{Model: "m"}, By: registry.Change{Actor: "test"},
		Trunk: registry.FromReader(strings.NewReader("trunk")), Head: registry.FromReader(strings.NewReader("head")),
		Permitted: func(ctx context.Context) (int64, error) {
			generation, err := permission.Check(ctx)
			if decided++; decided == 1 && err == nil {
				_, err = g.authority.AddGrant(ctx, access.Caller{Principal: "user:olga"},
					access.Grant{Object: "dataset:scans", Effect: access.Deny, Principal: g.me, Right: access.Train})
			}
			return generation, err
		},
	})
	if !errors.Is(err, access.ErrDenied) || decided != 2 {
		t.Errorf("registering: %v, decided %d times", err, decided)
	}
}

// An alias is moved by those who may promote what it leaves and what it comes
// to: neither way leads around the right.
func TestAliasesNeedBothRights(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	g := newGuarded(t)
	open := filepath.Join(filepath.Dir(g.data), "..", "open")
	mustRun(t, g.home, "datasets", "sample", "--digits", "3,4", open)
	g.olga(t, "train")
	take := g.olga(t, "promote")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans")...)
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", open)...)
	mustRun(t, g.home, "registry", "promote", "m@1")
	take()
	g.refused(t, "registry", "promote", "m@2")
	g.refused(t, append(quickly, "--name", "m", "--data", open, "--promote")...)
	g.refused(t, "registry", "remove-alias", "m@production")
	mustRun(t, g.home, "registry", "promote", "--alias", "try", "m@2")

	take = g.olga(t, "promote")
	mustRun(t, g.home, "registry", "promote", "m@2")
	take()
	g.refused(t, "registry", "rollback", "m") // to m@1
	g.refused(t, "registry", "promote", "--alias", "try", "m@1")
	g.olga(t, "promote")
	mustRun(t, g.home, "registry", "rollback", "m")
	mustRun(t, g.home, "registry", "remove-alias", "m@production")
}

// The accuracy and lineage of a version are shown to those who may use it; of
// other versions the list shows only that they exist.
func TestDescriptionsNeedTheRightToUse(t *testing.T) {
	t.Parallel()
	needs.Minutes(t)
	g := newGuarded(t)
	g.olga(t, "train,promote")
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", "scans", "--promote")...)
	open := filepath.Join(filepath.Dir(g.data), "open")
	mustRun(t, g.home, "datasets", "sample", "--digits", "3,4", open)
	mustRun(t, g.home, append(quickly, "--name", "m", "--data", open)...)
	listed := func() [2]bool { // whether it shows the accuracy of the versions
		var versions []registry.Version
		if err := json.Unmarshal([]byte(mustRun(t, g.home, "registry", "list", "--json", "m")), &versions); err != nil || len(versions) != 2 {
			t.Fatal(err, versions)
		}
		return [2]bool{versions[0].Manifest.Metrics != nil, versions[1].Manifest.Metrics != nil}
	}
	page := filepath.Join(t.TempDir(), "m.html")
	g.refused(t, "registry", "show", "m@1")
	g.refused(t, "registry", "show", "--json", "m@1")
	g.refused(t, "registry", "show", "--html", page, "m@1")
	if _, err := os.Stat(page); err == nil {
		t.Error("the page was written")
	}
	if got := listed(); got != [2]bool{false, true} {
		t.Errorf("tells of %v", got)
	}
	if text := mustRun(t, g.home, "registry", "list", "m"); !strings.Contains(text, "no right to use") || !strings.Contains(text, "production") {
		t.Errorf("lists\n%s", text)
	}
	if last := mustRun(t, g.home, "datasets", "audit", "--json", "--last", "1"); !strings.Contains(last, `"data":["m@1"]`) || !strings.Contains(last, "denied") {
		t.Errorf("wrote down %s", last)
	}
	take := g.olga(t, "use")
	mustRun(t, g.home, "registry", "show", "--html", page, "m@1")
	if got := listed(); got != [2]bool{true, true} {
		t.Errorf("with the right, tells of %v", got)
	}
	take()
	g.refused(t, "registry", "show", "m@1")
}

func TestDatasetCommands(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	for _, c := range []struct {
		args string
		want string // in the output
		err  string // in the error, where there must be one
	}{
		{args: "datasets list", want: "no registered dataset that you may see"},
		{args: "datasets show scans", err: "nothing allows"},
		{args: "datasets show scan", err: "`tkit datasets list` shows those that you may see"},
		{args: "datasets acl scans", err: "nothing allows"},
		{args: "datasets acl scans grant " + string(g.me) + " train", err: "user:olga owns it"},
		{args: "datasets add scans DATA", err: "registered already (`tkit datasets show scans` shows it)"},
		{args: "datasets add more DATA/none", err: "no such file"},
		{args: "datasets add more DATA", want: "registered more"},
		{args: "datasets acl more grant user:bob list,train --expires 30d --only-for research --reason study", want: "research"},
		{args: "datasets acl more grant bob list", err: "user:NAME"},
		{args: "datasets acl more grant user:bob write", err: "the rights are"},
		{args: "datasets acl more grant user:bob train --expires yesterday", err: "2027-01-31"},
		{args: "datasets acl more grant user:bob train --expires 300000d", err: "2027-01-31"}, // more than a duration holds
		{args: "datasets acl more", want: "owned by " + string(g.me)},
		{args: "datasets acl more deny group:students train", want: "deny"},
		{args: "datasets acl more revoke 1 --json", want: `"revoked": 1`},
		{args: "datasets acl more revoke 2", want: "revoked grant 2"},
		{args: "datasets acl more revoke 1", err: "no grant 1"},
		{args: "datasets acl more revoke all", err: "by its number"},
		{args: "datasets acl more forbid", err: "want grant, deny, revoke or owner"},
		{args: "datasets list", want: "more"},
		{args: "datasets show more", want: "owns dataset:more"},
		{args: "datasets snapshots more", want: "no run"},
		{args: "datasets acl more owner user:olga --json", want: `"owner": "user:olga"`},
		{args: "datasets snapshots more --purpose audit", err: "nothing allows " + string(g.me) + " to list dataset:more for \"audit\""},
		{args: "datasets acl more --purpose audit", err: "for \"audit\""},
		{args: "datasets remove scans", want: "removed scans; its data stays"}, // by the owner of the home
		{args: "datasets remove scans", err: "`tkit datasets list` shows"},
		{args: "datasets remove more --json --reason done", want: `"removed": "more"`},
		{args: "datasets add more DATA", want: "registered more"},
		{args: "datasets acl more --json", want: "[]"},
		{args: "access whoami", want: string(g.me)},
		{args: "access token create --note x service:triage", want: "tkit_"},
		{args: "access token list", want: "service:triage"},
		{args: "access token revoke 00000000", err: "not found"},
		{args: "access token create group:x", err: "not a group's"},
		{args: "datasets audit --last 1", want: "create-token"},
		{args: "datasets audit verify", want: "nothing was changed"},
	} {
		a := app()
		var out bytes.Buffer
		a.Writer, a.ErrWriter = &out, &bytes.Buffer{}
		args := strings.Fields(strings.Replace(c.args, "DATA", g.data, 1))
		err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", g.home}, args...))
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want an error with %q", c.args, err, c.err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s printed\n%s\nwant %q", c.args, out.String(), c.want)
		}
	}
}

func TestModelCommands(t *testing.T) {
	t.Parallel()
	home := registryAt(t)
	me, err := access.Self()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string // in the output
		err  string // in the error, where there must be one
	}{
		{args: "access flowers@1", want: "nothing behind flowers@1 is restricted"},
		{args: "acl flowers", err: "`tkit registry protect flowers` gives it one"},
		{args: "acl flowers grant user:bob use", err: "`tkit registry protect flowers` gives it one"},
		{args: "protect cars", err: "there are flowers"},
		{args: "protect flowers", want: "owned by " + string(me)},
		{args: "protect flowers", err: "protected already"},
		{args: "acl flowers grant user:bob use,promote", want: "promote"},
		{args: "acl flowers grant user:bob train", err: "there are"},
		{args: "acl flowers owner user:olga", want: "owned by user:olga"},
		{args: "access flowers@1", want: "restricted by model:flowers, owned by user:olga"},
		{args: "promote flowers@1", err: "not allowed to promote flowers@1"},
		{args: "export flowers@1 FOLDER", err: "not allowed to export"},
		{args: "declassify flowers@1 scans --right use --expires 30d --reason x", err: "`tkit datasets add scans FOLDER` registers it"},
		{args: "reclassify 1", err: "not found"},
		{args: "reclassify x", err: "by its number"},
	} {
		out, err := runRegistry(t, home, strings.Fields(strings.Replace(c.args, "FOLDER", filepath.Join(home, "exported"), 1))...)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("registry %s: %v, want an error with %q", c.args, err, c.err)
		}
		if !strings.Contains(out, c.want) {
			t.Errorf("registry %s printed\n%s\nwant %q", c.args, out, c.want)
		}
	}
}

// Expiries that nobody means, or that cannot be kept, are refused, and the home
// works on.
func TestExpiryFlag(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	mustRun(t, g.home, "datasets", "acl", "scans", "owner", string(g.me))
	for _, bad := range []string{"9999-12-31", "0000-12-31", "0000-01-01", "0001-01-01", "2001-01-01", "10000-01-01", "-5d", "0d", "NaNd", "infd",
		"", " ", "1h30d", "1e3d", "99999999999d", "106751d", "106752d", "2562047h", "2030-02-30", "soon"} {
		if out, _, err := tkit(t, g.home, "datasets", "acl", "--expires", bad, "scans", "grant", "user:bob", "train"); err == nil || !strings.Contains(err.Error(), "expir") {
			t.Errorf("--expires %s: %v\n%s", bad, err, out)
		}
		if _, _, err := tkit(t, g.home, "access", "token", "create", "--expires", bad); err == nil {
			t.Errorf("a token with --expires %s", bad)
		}
	}
	if _, _, err := tkit(t, g.home, "datasets", "acl", "--only-for", "", "scans", "grant", "user:bob", "train"); err == nil {
		t.Error("an empty purpose gave a grant for all purposes")
	}
	mustRun(t, g.home, "datasets", "acl", "--expires", "9000d", "scans", "grant", "user:bob", "train")
	mustRun(t, g.home, "datasets", "list")
}
