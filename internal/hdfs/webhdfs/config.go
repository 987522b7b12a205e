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

// Config says which cluster, as whom, and how patiently. The zero value is what
// Hadoop's own client would do in this environment.
type Config struct {
	// Authority is what stands after webhdfs:// in a URI: a name service, or
	// the host of a NameNode or of HttpFS, with or without port. Empty, it is
	// that of fs.defaultFS.
	Authority string
	// TLS is for swebhdfs: every server is spoken to by HTTPS, those that the
	// NameNodes redirect to among them.
	TLS bool
	// CAFile has the certificates, in PEM, by which servers are believed.
	// Empty, it is TKIT_HDFS_CA, else the system's.
	CAFile string
	// ConfDir holds core-site.xml and hdfs-site.xml, as in hdfs.Config.
	ConfDir string

	// User is whom a cluster without Kerberos is told, as in hdfs.Config. On a
	// cluster with Kerberos it must be empty or agree with the ticket.
	User string
	// Kerberos is used where hadoop.security.authentication says so. A cluster
	// that turns out otherwise than the configuration says is not read.
	Kerberos hdfs.Kerberos
	// DoAs is the user to act as, for a service that the cluster allows to
	// (hadoop.proxyuser.SERVICE.users and .hosts). Empty, it is
	// HADOOP_PROXY_USER, else the service itself.
	DoAs string

	// CallTimeout bounds every attempt of a call, and every wait for the next
	// bytes of a file. 15 s when zero.
	CallTimeout time.Duration
	// Budget is how long errors that may pass are retried without any
	// progress. 60 s when zero.
	Budget time.Duration
}

const (
	defaultCallTimeout = 15 * time.Second
	defaultBudget      = 60 * time.Second
	defaultPort        = "9870"
	defaultTLSPort     = "9871"
)

// settings is a Config with everything found.
type settings struct {
	Config
	servers   []string // host:port
	principal string   // of the servers, with _HOST in it; "" without Kerberos
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

// property is that of the NameNodes' addresses for the web.
func (c Config) property() string {
	if c.TLS {
		return "dfs.namenode.https-address"
	}
	return "dfs.namenode.http-address"
}

// servers are those behind the authority.
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
			// Its port is that of RPC.
			return []string{cmp.Or(site[c.property()], net.JoinHostPort(host, port))}, nil
		}
	}
	servers, err := hdfs.Addresses(site, authority, c.property(), port)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: %w", err)
	}
	return servers, nil
}
