package hdfstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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

// KillDataNode ends DataNode i at once (SIGKILL) and returns when it is gone.
func (c *Cluster) KillDataNode(i int) error { return c.kill(dataNode(i)) }

// KillNameNode ends NameNode i at once (SIGKILL) and returns when it is gone.
func (c *Cluster) KillNameNode(i int) error { return c.kill(nameNode(i)) }

// PauseDataNode stops DataNode i's process (SIGSTOP): connections to it stay
// and nothing answers. ResumeDataNode lets it go on.
func (c *Cluster) PauseDataNode(i int) error { return c.signal(dataNode(i), syscall.SIGSTOP) }

// ResumeDataNode lets a paused DataNode go on.
func (c *Cluster) ResumeDataNode(i int) error { return c.signal(dataNode(i), syscall.SIGCONT) }

// PauseNameNode stops NameNode i's process (SIGSTOP). ResumeNameNode lets it go on.
func (c *Cluster) PauseNameNode(i int) error { return c.signal(nameNode(i), syscall.SIGSTOP) }

// ResumeNameNode lets a paused NameNode go on.
func (c *Cluster) ResumeNameNode(i int) error { return c.signal(nameNode(i), syscall.SIGCONT) }

// StartDataNode starts a killed DataNode again with the data it had. It returns
// at once; WaitReady waits until it serves.
func (c *Cluster) StartDataNode(i int) error {
	if err := c.gone(dataNode(i)); err != nil {
		return err
	}
	return c.launchDataNode(i)
}

// StartNameNode starts a killed NameNode again with the names it had. It returns
// at once; WaitReady waits until it serves.
func (c *Cluster) StartNameNode(i int) error {
	if err := c.gone(nameNode(i)); err != nil {
		return err
	}
	return c.launchNameNode(i)
}

// Reconfigure starts the NameNode and the DataNodes of a cluster without HA anew
// with the data they had and other properties: those of Config.Core and
// Config.HDFS are replaced. It returns when the cluster serves.
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

// Failover makes NameNode i the active one of two. The other, where it lives,
// becomes standby first.
func (c *Cluster) Failover(ctx context.Context, i int) error {
	if c.gone(nameNode(1-i)) != nil {
		if state, err := c.web.state(ctx, 1-i); err == nil && state == "active" {
			if err := c.Admin(haAdminClass, "-transitionToStandby", nameNode(1-i)); err != nil {
				return err
			}
		}
	}
	// Forced, since the other NameNode may be dead.
	if err := c.Admin(haAdminClass, "-transitionToActive", "--forceactive", nameNode(i)); err != nil {
		return err
	}
	return c.waitForState(ctx, i, "active")
}

// Restore starts every server that was killed, makes the first of two NameNodes
// the active one, and waits until all serve.
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

// Admin runs a class of Hadoop's shells, such as
// org.apache.hadoop.hdfs.tools.CryptoAdmin, to its end. It costs a second or
// two of processor: Web does most things faster.
func (c *Cluster) Admin(class string, args ...string) error {
	p, err := c.java("admin", append([]string{class}, args...)...)
	if err != nil {
		return err
	}
	if err := p.wait(startTimeout); err != nil {
		return fmt.Errorf("hdfstest: %s %q: %w\n%s", class, args, err, tail(filepath.Join(c.dir, "log", "admin")))
	}
	return nil
}

func (c *Cluster) kill(name string) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	p.kill()
	return nil
}

func (c *Cluster) signal(name string, s syscall.Signal) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	return p.cmd.Process.Signal(s)
}

// gone is nil when a server was started once and has ended.
func (c *Cluster) gone(name string) error {
	p, err := c.processes.get(name)
	if err != nil {
		return err
	}
	if p.running() {
		return fmt.Errorf("hdfstest: %s already runs", name)
	}
	return nil
}
