package webhdfs

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"tkit/internal/hdfs"
)

// Config selects the cluster, the user and the timeouts. The zero value does
// what Hadoop's own client would do in this environment.
type Config struct {
	// Authority is the part after webhdfs:// in a URI: a name service, or the
	// host of a NameNode or of HttpFS, with or without port. Empty means that
	// of fs.defaultFS.
	Authority string
	// TLS is for swebhdfs: every server is accessed by HTTPS, including the
	// targets of redirects.
	TLS bool
	// CAFile holds the trusted certificates, in PEM. Empty means TKIT_HDFS_CA,
	// else the system's certificates.
	CAFile string
	// ConfDir holds core-site.xml and hdfs-site.xml, as in hdfs.Config.
	ConfDir string

	// User is the user name sent to a cluster without Kerberos, as in
	// hdfs.Config. On a cluster with Kerberos it must be empty or match the
	// ticket.
	User string
	// Kerberos is used if hadoop.security.authentication is kerberos. If the
	// cluster's authentication differs from the configuration, nothing is read.
	Kerberos hdfs.Kerberos
	// DoAs is the user to impersonate, if the cluster allows it
	// (hadoop.proxyuser.SERVICE.users and .hosts). Empty means
	// HADOOP_PROXY_USER, else no impersonation.
	DoAs string

	// CallTimeout bounds every attempt of a call, and every wait for the next
	// bytes of a file. Zero means 15 s.
	CallTimeout time.Duration
	// Budget is how long temporary errors are retried without progress. Zero
	// means 60 s.
	Budget time.Duration
}

const (
	defaultCallTimeout = 15 * time.Second
	defaultBudget      = 60 * time.Second
	defaultPort        = "9870"
	defaultTLSPort     = "9871"
)

// settings is a Config with all values resolved.
type settings struct {
	Config
	servers   []string // host:port
	principal string   // of the servers, containing _HOST; "" without Kerberos
	site      map[string]string
}

func (c Config) settings() (settings, error) {
	native := hdfs.Config{ConfDir: c.ConfDir, User: c.User}
	site, dir, err := native.Site()
	if err != nil {
		return settings{}, err
	}
	s := settings{Config: c, site: site}
	s.CAFile = cmp.Or(c.CAFile, os.Getenv("TKIT_HDFS_CA"))
	s.DoAs = cmp.Or(c.DoAs, os.Getenv("HADOOP_PROXY_USER"))
	s.CallTimeout = cmp.Or(c.CallTimeout, defaultCallTimeout)
	s.Budget = cmp.Or(c.Budget, defaultBudget)
	if s.servers, err = c.servers(site, dir); err != nil {
		return settings{}, err
	}
	if strings.EqualFold(site["hadoop.security.authentication"], "kerberos") {
		s.principal = cmp.Or(site["dfs.web.authentication.kerberos.principal"], "HTTP/_HOST")
		return s, nil
	}
	if s.User, err = native.SimpleUser(); err != nil {
		return settings{}, err
	}
	return s, nil
}

// property returns the name of the property with the NameNodes' HTTP addresses.
func (c Config) property() string {
	if c.TLS {
		return "dfs.namenode.https-address"
	}
	return "dfs.namenode.http-address"
}

// servers returns the addresses of the authority's servers.
func (c Config) servers(site map[string]string, dir string) ([]string, error) {
	port := defaultPort
	if c.TLS {
		port = defaultTLSPort
	}
	authority := c.Authority
	if authority == "" {
		rest, ok := strings.CutPrefix(cmp.Or(site["fs.defaultFS"], site["fs.default.name"]), "hdfs://")
		if !ok {
			return nil, fmt.Errorf("webhdfs: no server is named: write webhdfs://HOST:PORT/PATH, or set fs.defaultFS in %s to an hdfs:// URI", dir)
		}
		authority, _, _ = strings.Cut(rest, "/")
		if host, _, err := net.SplitHostPort(authority); err == nil {
			// Its port is the RPC port.
			return []string{cmp.Or(site[c.property()], net.JoinHostPort(host, port))}, nil
		}
	}
	servers, err := hdfs.Addresses(site, authority, c.property(), port)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: %w", err)
	}
	return servers, nil
}
