// Package hdfstest starts real HDFS clusters for tests: NameNode and DataNodes
// from Hadoop's jars, on loopback ports, optionally with Kerberos, a second
// NameNode or an HttpFS gateway. `make deps-hadoop` installs the jars.
//
// Every process is a child of the test and ends with it, even if the test is
// killed.
package hdfstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"tkit/internal/testserver"
)

// startTimeout bounds how long a cluster may take to start. Usually it takes
// seconds; the rest is for busy machines.
const startTimeout = 3 * time.Minute

// Principals of a cluster with Kerberos, all in Keytab: the superuser of the
// servers, and users. Service may impersonate anyone.
const (
	Superuser = "hdfs/localhost"
	Service   = "service"
)

// EncryptionKey is the key for encryption zones, made if Config.Encryption is
// set.
const EncryptionKey = "key"

// Config describes a cluster. The zero value is one NameNode and three
// DataNodes without Kerberos.
type Config struct {
	DataNodes int  // 3 when 0
	HA        bool // a second NameNode and the name service "ns"
	// Kerberos adds a KDC; the cluster accepts its tickets only. Its web
	// servers also use TLS.
	Kerberos bool
	HttpFS   bool // a gateway
	// Encryption makes a key named EncryptionKey, for encryption zones.
	Encryption bool
	// Core and HDFS are additional properties of core-site.xml and
	// hdfs-site.xml, for servers and clients.
	Core, HDFS map[string]string
}

// A Cluster is a running HDFS. Tests may call its methods concurrently unless
// they disturb each other's cluster.
type Cluster struct {
	config Config
	dir    string // holds conf, log, and the servers' data
	ports  ports
	host   string
	lib    string

	processes processes
	web       *web
}

// Start starts a cluster and returns when it accepts writes. Stop ends it.
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
		c.host = "localhost" // tickets are for host names
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

// Stop ends every process and removes the cluster's data.
func (c *Cluster) Stop() {
	c.processes.endAll()
	c.ports.Release()
	os.RemoveAll(c.dir)
}

// ConfDir returns the folder with core-site.xml and hdfs-site.xml, for
// HADOOP_CONF_DIR.
func (c *Cluster) ConfDir() string { return filepath.Join(c.dir, "conf") }

// URI returns the cluster's fs.defaultFS: hdfs://127.0.0.1:port, or hdfs://ns.
func (c *Cluster) URI() string {
	if c.config.HA {
		return "hdfs://" + nameService
	}
	return "hdfs://" + c.NameNode(0)
}

// NameNode returns the RPC address, host:port, of NameNode i (0, and 1 with
// HA).
func (c *Cluster) NameNode(i int) string { return c.address(c.ports.nameNode(i)) }

// NameNodeHTTP returns the address, host:port, of NameNode i's WebHDFS.
func (c *Cluster) NameNodeHTTP(i int) string { return c.address(c.ports.nameNode(i) + 1) }

// DataNodeHTTP returns the address, host:port, of DataNode i's WebHDFS.
func (c *Cluster) DataNodeHTTP(i int) string { return c.address(c.ports.dataNode(i) + 2) }

// NameNodeHTTPS returns the address of NameNode i's WebHDFS with TLS, on a
// cluster with Kerberos.
func (c *Cluster) NameNodeHTTPS(i int) string { return c.address(c.ports.nameNodeTLS(i)) }

// HttpFS returns the gateway's address, host:port.
func (c *Cluster) HttpFS() string { return c.address(c.ports.httpFS()) }

// DataDir returns the folder with DataNode i's blocks.
func (c *Cluster) DataDir(i int) string { return filepath.Join(c.dir, "data"+strconv.Itoa(i)) }

func (c *Cluster) address(port int) string { return c.host + ":" + strconv.Itoa(port) }

func (c *Cluster) nameNodes() int {
	if c.config.HA {
		return 2
	}
	return 1
}

// format initialises the NameNodes' folders.
func (c *Cluster) format() error {
	log := filepath.Join(c.dir, "log", "format")
	p, err := c.java("format", append(c.nameNodeArgs(0), "-format", "-nonInteractive")...)
	if err != nil {
		return err
	}
	if err := p.Wait(startTimeout); err != nil {
		return fmt.Errorf("format: %w\n%s", err, testserver.Tail(log))
	}
	if c.config.HA {
		return os.CopyFS(c.nameDir(1), os.DirFS(c.nameDir(0)))
	}
	return nil
}

func (c *Cluster) nameDir(i int) string { return filepath.Join(c.dir, "name"+strconv.Itoa(i)) }

// Jars finds the jars that scripts/hadoop/install installed: in TKIT_HADOOP, or
// in .deps/hadoop of the current checkout.
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
				return "", errors.New("hdfstest: no go.mod above the working directory; set TKIT_HADOOP to the folder made by scripts/hadoop/install")
			}
		}
		dir = filepath.Join(root, ".deps", "hadoop")
	}
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		return "", fmt.Errorf("hdfstest: no Hadoop in %s: run make deps-hadoop", dir)
	}
	return filepath.EvalSymlinks(filepath.Join(dir, "lib")) // as the archive of classes names it
}
