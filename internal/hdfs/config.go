package hdfs

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
)

// Config selects the cluster, the user and the timeouts. The zero value does
// what Hadoop's own client would do in this environment.
type Config struct {
	// Authority is the part after hdfs:// in a URI: a name service, or a
	// NameNode's host with or without port. Empty means that of fs.defaultFS.
	Authority string
	// ConfDir holds core-site.xml and hdfs-site.xml. Empty means
	// HADOOP_CONF_DIR, else HADOOP_HOME/etc/hadoop. A cluster without Kerberos
	// that is named by host needs neither.
	ConfDir string
	// User is the user name sent to a cluster without Kerberos. Empty means
	// HADOOP_USER_NAME, else the user of this process. On a cluster with
	// Kerberos it must be empty or match the ticket.
	User string
	// Kerberos is used if hadoop.security.authentication is kerberos.
	Kerberos Kerberos

	// CallTimeout bounds every connect, and every wait for the next bytes of an
	// answer. It must exceed a server's pauses. Zero means 15 s.
	CallTimeout time.Duration
	// Budget is how long temporary errors are retried without progress. A
	// NameNode takes some ten seconds to restart, and longer to leave safe
	// mode. Zero means 60 s.
	Budget time.Duration
}

const (
	defaultCallTimeout = 15 * time.Second
	defaultBudget      = 60 * time.Second
	defaultPort        = "8020" // of a NameNode, if the URI has none
)

// settings is a Config with all values resolved.
type settings struct {
	authority   string
	options     hdfs.ClientOptions // without credentials and dialers
	kerberos    *Kerberos          // nil without Kerberos
	callTimeout time.Duration
	budget      time.Duration
}

func (c Config) settings() (settings, error) {
	if user := os.Getenv("HADOOP_PROXY_USER"); user != "" {
		// Continuing would read as the service itself.
		return settings{}, fmt.Errorf("hdfs: HADOOP_PROXY_USER is %s, and the native client cannot act for another user: "+
			"read the cluster through webhdfs:// or swebhdfs://, or unset it", user)
	}
	conf, dir, err := c.load()
	if err != nil {
		return settings{}, err
	}
	s := settings{
		options:     options(conf),
		callTimeout: c.CallTimeout,
		budget:      c.Budget,
	}
	if s.callTimeout == 0 {
		s.callTimeout = defaultCallTimeout
	}
	if s.budget == 0 {
		s.budget = defaultBudget
	}
	if s.authority, err = authority(c.Authority, conf, dir); err != nil {
		return settings{}, err
	}
	if s.options.Addresses, err = Addresses(conf, s.authority, "dfs.namenode.rpc-address", defaultPort); err != nil {
		return settings{}, fmt.Errorf("hdfs: %w", err)
	}
	if s.options.KerberosClient == nil {
		s.options.User, err = simpleUser(c.User)
		return s, err
	}
	if s.options.KerberosServicePrincipleName == "" {
		return settings{}, fmt.Errorf("hdfs: %s: hadoop.security.authentication is kerberos, but hdfs-site.xml has no dfs.namenode.kerberos.principal", dir)
	}
	k := c.Kerberos
	k.user = c.User
	if k.namer, err = newNamer(conf); err != nil {
		return settings{}, err
	}
	s.kerberos = &k
	return s, nil
}

// options returns the options that the library reads from a configuration,
// without the NameNodes: it would fail on an invalid address, and parses lists
// with spaces wrongly.
func options(conf map[string]string) hdfs.ClientOptions {
	read := hadoopconf.HadoopConf{}
	for _, name := range []string{"dfs.client.use.datanode.hostname", "hadoop.security.authentication", "dfs.namenode.kerberos.principal", encryptKey} {
		read[name] = conf[name]
	}
	read[protectionKey] = strings.ReplaceAll(conf[protectionKey], " ", "")
	return hdfs.ClientOptionsFromConf(read)
}

// load reads Hadoop's configuration and returns where it came from. A missing
// configuration is an empty one.
func (c Config) load() (map[string]string, string, error) {
	dir := c.ConfDir
	if dir == "" {
		dir = os.Getenv("HADOOP_CONF_DIR")
	}
	if home := os.Getenv("HADOOP_HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, "etc", "hadoop")
	}
	if dir == "" {
		return map[string]string{}, "HADOOP_CONF_DIR", nil
	}
	conf, err := readSite(dir)
	if err != nil {
		return nil, dir, fmt.Errorf("hdfs: Hadoop's configuration (HADOOP_CONF_DIR): %w", err)
	}
	return conf, dir, nil
}

// authority returns the requested authority, or that of fs.defaultFS.
func authority(asked string, conf map[string]string, dir string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	for _, key := range []string{"fs.defaultFS", "fs.default.name"} {
		if rest, ok := strings.CutPrefix(conf[key], "hdfs://"); ok {
			a, _, _ := strings.Cut(rest, "/")
			return a, nil
		}
	}
	return "", fmt.Errorf("hdfs: no NameNode is named: write hdfs://HOST:PORT/PATH, or set fs.defaultFS in %s to an hdfs:// URI", dir)
}

func simpleUser(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if name := os.Getenv("HADOOP_USER_NAME"); name != "" {
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("hdfs: cannot determine the user: %w; set HADOOP_USER_NAME", err)
	}
	return u.Username, nil
}

// Properties for the protection of the data transfer.
const (
	protectionKey = "dfs.data.transfer.protection"
	encryptKey    = "dfs.encrypt.data.transfer"
)
