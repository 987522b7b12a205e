package hdfstest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
	"tkit/internal/testserver"
)

const pollInterval = 50 * time.Millisecond

// WaitReady waits until a NameNode is active, out of safe mode, and has a block
// report from every running DataNode.
func (c *Cluster) WaitReady(ctx context.Context) error {
	return c.poll(ctx, "NameNode and DataNodes", func() bool {
		active := -1
		for i := range c.nameNodes() {
			if state, err := c.web.state(ctx, i); err == nil && state == "active" {
				active = i
			}
		}
		if active < 0 {
			return false
		}
		if s, err := c.web.fsState(ctx, active); err != nil || s != "Operational" {
			return false
		}
		for i := range c.config.DataNodes {
			if !c.reported(ctx, i, active) {
				return false
			}
		}
		return true
	})
}

// reported reports whether a DataNode, if it runs, has sent its block report to
// the active NameNode since the later of the two started.
func (c *Cluster) reported(ctx context.Context, dn, nn int) bool {
	d, err := c.processes.get(dataNode(dn))
	if err != nil || !d.Running() {
		return true
	}
	n, err := c.processes.get(nameNode(nn))
	if err != nil {
		return false
	}
	reports, err := c.web.reports(ctx, dn)
	if err != nil {
		return false
	}
	both := min(time.Since(d.Started), time.Since(n.Started))
	for _, r := range reports {
		if r.ActorState == "RUNNING" && r.NamenodeHaState == "active" && time.Duration(r.LastBlockReport)*time.Second <= both {
			return true
		}
	}
	return false
}

func (c *Cluster) waitForState(ctx context.Context, i int, want string) error {
	return c.poll(ctx, nameNode(i)+" "+want, func() bool {
		state, err := c.web.state(ctx, i)
		return err == nil && state == want
	})
}

// poll repeats a check until it succeeds. If a server exits meanwhile without
// the test having killed it, poll fails with the end of its log.
func (c *Cluster) poll(ctx context.Context, what string, done func() bool) error {
	for {
		if done() {
			return nil
		}
		if name := c.processes.failed(); name != "" {
			return fmt.Errorf("%s ended:\n%s", name, testserver.Tail(filepath.Join(c.dir, "log", name)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w\n%s", what, ctx.Err(), testserver.Tail(filepath.Join(c.dir, "log", nameNode(0))))
		case <-time.After(pollInterval):
		}
	}
}
