package hadoop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/access"
	"tkit/access/hadoop"
	"tkit/access/sqlite"
	"tkit/internal/hdfs/hdfstest"
)

var cluster = hdfstest.Shared(hdfstest.Config{DataNodes: 1})

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

// scans registers a dataset of olga's at a URI and lets a group train on it.
func scans(t *testing.T, uri string, effect access.Effect, group access.Principal) *access.Authority {
	t.Helper()
	home := t.TempDir()
	a, err := access.Open(t.Context(), home, sqlite.Open, hadoop.New(home))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := a.RegisterDataset(t.Context(), access.Caller{Principal: "user:root"}, "scans", uri, "user:olga"); err != nil {
		t.Fatal(err)
	}
	g := access.Grant{Object: "dataset:scans", Effect: effect, Principal: group, Right: access.Train}
	if _, err := a.AddGrant(t.Context(), access.Caller{Principal: "user:olga"}, g); err != nil {
		t.Fatal(err)
	}
	return a
}

func decide(t *testing.T, a *access.Authority, p access.Principal) error {
	t.Helper()
	who, err := a.Resolve(t.Context(), access.Caller{Principal: p})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authorize(t.Context(), who, access.Request{Action: "test", Right: access.Train, Object: "dataset:scans"})
	return err
}

// The NameNode's groups apply, whichever protocol the dataset is named by.
func TestGroupsOfTheNameNode(t *testing.T) {
	c := cluster(t)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir())
	for _, uri := range []string{"hdfs://" + c.NameNode(0) + "/scans", "webhdfs://" + c.NameNodeHTTP(0) + "/scans", "webhdfs://gateway:14000/scans"} {
		a := scans(t, uri, access.Allow, "group:team")
		for p, want := range map[access.Principal]bool{"user:alice": true, "user:bob": true, "user:carol": false, "user:stranger": false, "service:alice": false} {
			if err := decide(t, a, p); (err == nil) != want || err != nil && !errors.Is(err, access.ErrDenied) {
				t.Errorf("%s at %s: %v, want %t", p, uri, err, want)
			}
		}
	}
}

// A user without groups in the cluster may be in a denied group: the NameNode
// returns the same when its own directory fails.
func TestDeniedGroupsAndNoAnswer(t *testing.T) {
	c := cluster(t)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir())
	a := scans(t, "hdfs://"+c.NameNode(0)+"/scans", access.Deny, "group:team")
	for _, p := range []access.Principal{"user:carol", "user:alice", "user:stranger"} {
		g := access.Grant{Object: "dataset:scans", Effect: access.Allow, Principal: p, Right: access.Train}
		if _, err := a.AddGrant(t.Context(), access.Caller{Principal: "user:olga"}, g); err != nil {
			t.Fatal(err)
		}
	}
	if err := decide(t, a, "user:carol"); err != nil {
		t.Errorf("carol is in no denied group: %v", err)
	}
	if err := decide(t, a, "user:alice"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("alice is in a denied group: %v", err)
	}
	if err := decide(t, a, "user:stranger"); !errors.Is(err, access.ErrUnknownGroups) {
		t.Errorf("nobody knows a stranger's groups: %v", err)
	}
}

// While the NameNode hangs, groups are unknown: the wait ends with the caller's
// context, and everything is refused.
func TestHungNameNode(t *testing.T) {
	c := cluster(t)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir())
	a := scans(t, "hdfs://"+c.NameNode(0)+"/scans", access.Allow, "group:team")
	if err := decide(t, a, "user:alice"); err != nil {
		t.Fatal(err)
	}
	if err := c.PauseNameNode(0); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.ResumeNameNode(0); err != nil {
			t.Error(err)
		}
	}()
	err := access.ErrDenied
	for i := 0; errors.Is(err, access.ErrDenied); i++ { // until it has stopped
		who, failed := a.Resolve(t.Context(), access.Caller{Principal: access.User(fmt.Sprint("stranger", i))})
		if failed != nil {
			t.Fatal(failed)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = a.Authorize(ctx, who, access.Request{Action: "test", Right: access.Train, Object: "dataset:scans"})
		cancel()
	}
	if !errors.Is(err, access.ErrUnknownGroups) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a short context: %v", err)
	}
	// Groups that were read recently are used until they are stale.
	for {
		err := decide(t, a, "user:alice")
		if err == nil {
			continue
		}
		if !errors.Is(err, access.ErrUnknownGroups) || !strings.Contains(err.Error(), "user:alice") {
			t.Errorf("at last: %v", err)
		}
		break
	}
}

func TestClosed(t *testing.T) {
	c := cluster(t)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir())
	g := hadoop.New(t.TempDir())
	at := "hdfs://" + c.NameNode(0)
	if got, err := g.OfCluster(t.Context(), at, "user:alice"); err != nil || !slices.Contains(got, "group:team") {
		t.Errorf("%v, %v", got, err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := g.OfCluster(t.Context(), at, "user:alice"); err == nil {
		t.Errorf("closed, and it answers %v", got)
	}
}
