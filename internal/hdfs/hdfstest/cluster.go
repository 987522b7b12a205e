// Package hdfstest starts real HDFS clusters for tests: NameNode and DataNodes
// from Hadoop's own jars, on ports of the loopback, with Kerberos, a second
// NameNode or an HttpFS gateway when asked. `make deps-hadoop` puts the jars
// where it looks.
//
// Every process is the test's child and is ended with it, however it ends.
package hdfstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// startTimeout bounds how long a cluster may take to serve. It takes seconds;
// the rest is for machines that do other things too.
const startTimeout = 3 * time.Minute

// Principals of a cluster with Kerberos, all in Keytab: the superuser that the
// servers are, and users. The cluster lets Service act for anyone.
const (
	Superuser = "hdfs/localhost"
	Service   = "service"
)

// EncryptionKey is the key for encryption zones, where Config.Encryption asks
// for one.
const EncryptionKey = "key"

// Config says what cluster is wanted. The zero value is one NameNode and three
// DataNodes without Kerberos.
type Config struct {
	DataNodes int  // 3 when 0
	HA        bool // a second NameNode and the name service "ns"
	// Kerberos is a KDC and a cluster that believes its tickets alone. Its web
	// servers speak TLS too.
	Kerberos bool
	HttpFS   bool // a gateway
	// Encryption is a key named EncryptionKey, for encryption zones.
	Encryption bool
	// Core and HDFS are more properties of core-site.xml and hdfs-site.xml, for
	// the servers and the clients alike.
	Core, HDFS map[string]string
}

// A Cluster is an HDFS that runs. Its methods may be called by several tests at
// once as far as what they do to the cluster allows it.
type Cluster struct {
	config Config
	dir    string // holds conf, log, and what the servers store
	ports  ports
	host   string
	lib    string

	processes processes
	web       *web
}

// Start starts a cluster and returns when it can be written to. Stop ends it.
func Start(config Config) (*Cluster, error) {
	if config.DataNodes == 0 {
		config.DataNodes = 3
	}
	lib, err := Jars()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hdfstest-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config, dir: dir, host: "127.0.0.1", lib: lib}
	if config.Kerberos {
		c.host = "localhost" // tickets are for names
	}
	c.web = newWeb(c)
	if err := c.start(); err != nil {
		c.Stop()
		return nil, fmt.Errorf("hdfstest: %w", err)
	}
	return c, nil
}

func (c *Cluster) start() error {
	var err error
	if c.ports, err = reserve(c.config.DataNodes); err != nil {
		return err
	}
	if err := c.configure(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if c.config.Kerberos {
		if err := c.startKerberos(ctx); err != nil {
			return err
		}
	}
	if c.config.Encryption { // before the NameNode, which reads the keys once
		if err := c.Admin("org.apache.hadoop.crypto.key.KeyShell", "create", EncryptionKey, "-size", "128"); err != nil {
			return err
		}
	}
	if err := c.format(); err != nil {
		return err
	}
	for i := range c.nameNodes() {
		if err := c.launchNameNode(i); err != nil {
			return err
		}
	}
	for i := range c.config.DataNodes {
		if err := c.launchDataNode(i); err != nil {
			return err
		}
	}
	if c.config.HA {
		for i := range c.nameNodes() {
			if err := c.waitForState(ctx, i, "standby"); err != nil {
				return err
			}
		}
		if err := c.Failover(ctx, 0); err != nil {
			return err
		}
	}
	if c.config.HttpFS {
		if err := c.launchHttpFS(); err != nil {
			return err
		}
	}
	if err := c.WaitReady(ctx); err != nil || !c.config.HttpFS {
		return err
	}
	return c.poll(ctx, "HttpFS", func() bool { return c.web.gateway(ctx) == nil })
}

// Stop ends every process and removes what the cluster stored.
func (c *Cluster) Stop() {
	c.processes.endAll()
	c.ports.release()
	os.RemoveAll(c.dir)
}

// ConfDir is the folder with core-site.xml and hdfs-site.xml: what clients are
// given as HADOOP_CONF_DIR.
func (c *Cluster) ConfDir() string { return filepath.Join(c.dir, "conf") }

// URI is the cluster's fs.defaultFS: hdfs://127.0.0.1:port, or hdfs://ns.
func (c *Cluster) URI() string {
	if c.config.HA {
		return "hdfs://" + nameService
	}
	return "hdfs://" + c.NameNode(0)
}

// NameNode is the address, host:port, that NameNode i (0, and 1 with HA) answers
// clients at.
func (c *Cluster) NameNode(i int) string { return c.address(c.ports.nameNode(i)) }

// NameNodeHTTP is the address, host:port, of NameNode i's WebHDFS.
func (c *Cluster) NameNodeHTTP(i int) string { return c.address(c.ports.nameNode(i) + 1) }

// DataNodeHTTP is the address, host:port, of DataNode i's WebHDFS.
func (c *Cluster) DataNodeHTTP(i int) string { return c.address(c.ports.dataNode(i) + 2) }

// NameNodeHTTPS is the address of NameNode i's WebHDFS with TLS, on a cluster
// with Kerberos.
func (c *Cluster) NameNodeHTTPS(i int) string { return c.address(c.ports.nameNodeTLS(i)) }

// HttpFS is the gateway's address, host:port.
func (c *Cluster) HttpFS() string { return c.address(c.ports.httpFS()) }

// DataDir is where DataNode i stores its blocks.
func (c *Cluster) DataDir(i int) string { return filepath.Join(c.dir, "data"+strconv.Itoa(i)) }

func (c *Cluster) address(port int) string { return c.host + ":" + strconv.Itoa(port) }

func (c *Cluster) nameNodes() int {
	if c.config.HA {
		return 2
	}
	return 1
}

// format makes the NameNodes' empty folders.
func (c *Cluster) format() error {
	log := filepath.Join(c.dir, "log", "format")
	p, err := c.java("format", append(c.nameNodeArgs(0), "-format", "-nonInteractive")...)
	if err != nil {
		return err
	}
	if err := p.wait(startTimeout); err != nil {
		return fmt.Errorf("format: %w\n%s", err, tail(log))
	}
	if c.config.HA {
		return os.CopyFS(c.nameDir(1), os.DirFS(c.nameDir(0)))
	}
	return nil
}

func (c *Cluster) nameDir(i int) string { return filepath.Join(c.dir, "name"+strconv.Itoa(i)) }

// Jars finds what scripts/hadoop/install has installed: TKIT_HADOOP, or
// .deps/hadoop of the checkout that the test runs in.
func Jars() (string, error) {
	dir := os.Getenv("TKIT_HADOOP")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			return "", err
		}
		for ; ; root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				return "", errors.New("hdfstest: no go.mod above the working directory; set TKIT_HADOOP to the folder that scripts/hadoop/install made")
			}
		}
		dir = filepath.Join(root, ".deps", "hadoop")
	}
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		return "", fmt.Errorf("hdfstest: no Hadoop in %s: run make deps-hadoop", dir)
	}
	return filepath.Join(dir, "lib"), nil
}
