package hdfstest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const pollInterval = 50 * time.Millisecond

// WaitReady waits until a NameNode is active and out of safe mode, and has the
// report of every DataNode that runs.
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

// reported says whether a DataNode, if it runs, has told the active NameNode of
// its blocks since the later of the two started.
func (c *Cluster) reported(ctx context.Context, dn, nn int) bool {
	d, err := c.processes.get(dataNode(dn))
	if err != nil || !d.running() {
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
	both := min(time.Since(d.started), time.Since(n.started))
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

// poll asks until the answer is yes. A server that ends meanwhile, without
// having been killed by the test, ends the wait with the end of its log.
func (c *Cluster) poll(ctx context.Context, what string, done func() bool) error {
	for {
		if done() {
			return nil
		}
		if name := c.processes.failed(); name != "" {
			return fmt.Errorf("%s ended:\n%s", name, tail(filepath.Join(c.dir, "log", name)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w\n%s", what, ctx.Err(), tail(filepath.Join(c.dir, "log", nameNode(0))))
		case <-time.After(pollInterval):
		}
	}
}
