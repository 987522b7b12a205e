package hdfstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"tkit/internal/testserver"
)

const (
	nameNodeClass = "org.apache.hadoop.hdfs.server.namenode.NameNode"
	dataNodeClass = "org.apache.hadoop.hdfs.server.datanode.DataNode"
	haAdminClass  = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
)

func nameNode(i int) string { return "nn" + strconv.Itoa(i) }
func dataNode(i int) string { return "dn" + strconv.Itoa(i) }

func (c *Cluster) nameNodeArgs(i int) []string {
	args := []string{nameNodeClass}
	if c.config.HA {
		args = append(args, "-D", "dfs.ha.namenode.id="+nameNode(i), "-D", "dfs.namenode.name.dir=file://"+c.nameDir(i))
	}
	return args
}

func (c *Cluster) launchNameNode(i int) error {
	_, err := c.java(nameNode(i), c.nameNodeArgs(i)...)
	return err
}

func (c *Cluster) launchDataNode(i int) error {
	data := c.DataDir(i)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	port := c.ports.dataNode(i)
	_, err := c.java(dataNode(i), dataNodeClass,
		"-D", "dfs.datanode.data.dir=file://"+data,
		"-D", "dfs.datanode.address="+c.address(port),
		"-D", "dfs.datanode.ipc.address="+c.address(port+1),
		"-D", "dfs.datanode.http.address="+c.address(port+2),
		"-D", "dfs.datanode.https.address="+c.address(port+3))
	return err
}

// KillDataNode kills DataNode i (SIGKILL) and waits for its exit.
func (c *Cluster) KillDataNode(i int) error { return c.kill(dataNode(i)) }

// KillNameNode kills NameNode i (SIGKILL) and waits for its exit.
func (c *Cluster) KillNameNode(i int) error { return c.kill(nameNode(i)) }

// PauseDataNode stops DataNode i's process (SIGSTOP): its connections stay open
// but nothing answers.
func (c *Cluster) PauseDataNode(i int) error { return c.signal(dataNode(i), syscall.SIGSTOP) }

// ResumeDataNode resumes a paused DataNode.
func (c *Cluster) ResumeDataNode(i int) error { return c.signal(dataNode(i), syscall.SIGCONT) }

// PauseNameNode stops NameNode i's process (SIGSTOP).
func (c *Cluster) PauseNameNode(i int) error { return c.signal(nameNode(i), syscall.SIGSTOP) }

// ResumeNameNode resumes a paused NameNode.
func (c *Cluster) ResumeNameNode(i int) error { return c.signal(nameNode(i), syscall.SIGCONT) }

// StartDataNode restarts a killed DataNode with its data. It returns at once;
// WaitReady waits until it serves.
func (c *Cluster) StartDataNode(i int) error {
	if err := c.gone(dataNode(i)); err != nil {
		return err
	}
	return c.launchDataNode(i)
}

// StartNameNode restarts a killed NameNode with its data. It returns at once;
// WaitReady waits until it serves.
func (c *Cluster) StartNameNode(i int) error {
	if err := c.gone(nameNode(i)); err != nil {
		return err
	}
	return c.launchNameNode(i)
}

// Reconfigure restarts the NameNode and the DataNodes of a cluster without HA
// with their data and other properties, which replace Config.Core and
// Config.HDFS. It returns when the cluster serves.
func (c *Cluster) Reconfigure(ctx context.Context, core, hdfs map[string]string) error {
	c.config.Core, c.config.HDFS = core, hdfs
	if err := c.configure(); err != nil {
		return err
	}
	for i := range c.config.DataNodes {
		if err := c.KillDataNode(i); err != nil {
			return err
		}
	}
	if err := errors.Join(c.KillNameNode(0), c.StartNameNode(0)); err != nil {
		return err
	}
	for i := range c.config.DataNodes {
		if err := c.StartDataNode(i); err != nil {
			return err
		}
	}
	return c.WaitReady(ctx)
}

// Failover makes NameNode i the active one of two. The other, if it runs,
// becomes standby first.
func (c *Cluster) Failover(ctx context.Context, i int) error {
	if c.gone(nameNode(1-i)) != nil {
		if state, err := c.web.state(ctx, 1-i); err == nil && state == "active" {
			if err := c.Admin(haAdminClass, "-transitionToStandby", nameNode(1-i)); err != nil {
				return err
			}
		}
	}
	// Forced, because the other NameNode may be dead.
	if err := c.Admin(haAdminClass, "-transitionToActive", "--forceactive", nameNode(i)); err != nil {
		return err
	}
	return c.waitForState(ctx, i, "active")
}

// Restore starts every server that was killed, makes the first of two NameNodes
// active, and waits until all serve.
func (c *Cluster) Restore(ctx context.Context) error {
	for i := range c.config.DataNodes {
		if c.gone(dataNode(i)) == nil {
			if err := c.launchDataNode(i); err != nil {
				return err
			}
		}
	}
	for i := range c.nameNodes() {
		if c.gone(nameNode(i)) == nil {
			if err := c.launchNameNode(i); err != nil {
				return err
			}
		}
	}
	if state, err := c.web.state(ctx, 0); c.config.HA && (err != nil || state != "active") {
		if err := c.waitForState(ctx, 0, "standby"); err != nil {
			return err
		}
		if err := c.Failover(ctx, 0); err != nil {
			return err
		}
	}
	return c.WaitReady(ctx)
}

// Admin runs one of Hadoop's command line classes, such as
// org.apache.hadoop.hdfs.tools.CryptoAdmin. It takes a second or two of CPU
// time: Web is faster for most things.
func (c *Cluster) Admin(class string, args ...string) error {
	p, err := c.java("admin", append([]string{class}, args...)...)
	if err != nil {
		return err
	}
	if err := p.Wait(startTimeout); err != nil {
		return fmt.Errorf("hdfstest: %s %q: %w\n%s", class, args, err, testserver.Tail(filepath.Join(c.dir, "log", "admin")))
	}
	return nil
}

func (c *Cluster) kill(name string) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	p.Kill()
	return nil
}

func (c *Cluster) signal(name string, s syscall.Signal) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	return p.Signal(s)
}

// gone returns nil if a server was started before and has ended.
func (c *Cluster) gone(name string) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	if p.Running() {
		return fmt.Errorf("hdfstest: %s already runs", name)
	}
	return nil
}
