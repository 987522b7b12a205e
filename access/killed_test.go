package access

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test binary is also the process that changes a policy until it is killed.
func TestMain(m *testing.M) {
	if home := os.Getenv("ACCESS_TEST_HOME"); home != "" {
		if err := changeForever(home); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// changeForever denies bob the use, and repeatedly grants and revokes alice's
// rights. It reports every completed change.
func changeForever(home string) error {
	ctx := context.Background()
	a, err := Open(ctx, home, TestStore, members{})
	if err != nil {
		return err
	}
	olga := Caller{Principal: "user:olga"}
	for {
		for _, g := range []Grant{{Effect: Deny, Principal: "user:bob", Right: Use}, {Effect: Allow, Principal: "user:alice", Right: Use}} {
			g.Object, g.Expires = "dataset:scans", time.Now().Add(time.Hour)
			given, err := a.AddGrant(ctx, olga, g)
			if err != nil {
				return err
			}
			if g.Effect == Deny {
				fmt.Println("denied", given.ID)
				continue
			}
			if err := a.RevokeGrant(ctx, olga, "dataset:scans", given.ID); err != nil {
				return err
			}
			fmt.Println("taken", given.ID)
		}
	}
}

// After a process that changes the policy is killed, the home can be opened,
// reported changes are in force, closed objects stay closed, and the log is
// complete.
func TestKilledWhileChanging(t *testing.T) {
	f := newFixture(t)
	f.give(t, f.olga, Allow, "user:bob", Use)
	for round := range 6 {
		killed := exec.Command(os.Args[0])
		killed.Env = append(os.Environ(), "ACCESS_TEST_HOME="+f.home)
		killed.Stderr = os.Stderr
		out, err := killed.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		var lines []string
		for range 2 + 3*round {
			if said.Scan() {
				lines = append(lines, said.Text())
			}
		}
		if err := killed.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for said.Scan() {
			lines = append(lines, said.Text())
		}
		killed.Wait()
		a := openAuthority(t, f.home)
		p, err := a.Policy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		there := make(map[string]bool)
		for _, g := range p.Grants("dataset:scans") {
			there[fmt.Sprint(g.ID)] = true
		}
		for _, line := range lines {
			did, id, _ := strings.Cut(line, " ")
			if there[id] != (did == "denied") {
				t.Errorf("%s, and grant %s is there: %t", line, id, there[id])
			}
		}
		if len(p.Unreadable()) > 0 || f.may(t, a, "user:bob", Use) || f.may(t, a, "user:carol", Train) {
			t.Errorf("unreadable is %v; or somebody may what they may not", p.Unreadable())
		}
		if v, err := a.Log().Verify(t.Context()); err != nil || len(v.Problems) > 0 {
			t.Errorf("the log: %v, %v", v.Problems, err)
		}
	}
}
