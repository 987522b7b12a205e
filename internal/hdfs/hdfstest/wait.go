package hdfstest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const pollInterval = 50 * time.Millisecond

// WaitReady waits until a NameNode is active, out of safe mode, and sees the
// given number of live DataNodes.
func (c *Cluster) WaitReady(ctx context.Context, dataNodes int) error {
	return c.poll(ctx, fmt.Sprintf("NameNode with %d DataNodes", dataNodes), func() bool {
		for i := range c.nameNodes() {
			if state, err := c.web.state(ctx, i); err != nil || state != "active" {
				continue
			}
			s, err := c.web.system(ctx, i)
			if err == nil && s.FSState == "Operational" && s.NumLiveDataNodes == dataNodes {
				return true
			}
		}
		return false
	})
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
