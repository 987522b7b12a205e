package webhdfs

import (
	"tkit/datasets/hdfs"
	"tkit/internal/hdfs/webhdfs"
)

// The schemes of the URIs of this store: HTTP and HTTPS.
const (
	Scheme    = "webhdfs"
	TLSScheme = "swebhdfs"
)

// Config gives a tree's location and user.
type Config struct {
	Client webhdfs.Config
	// Root is the absolute path of the folder that is the tree's root.
	Root string
}

// ParseConfig parses webhdfs://HOST:PORT/PATH or webhdfs://NAMESERVICE/PATH, in
// which %xx is an escaped byte, or the same with swebhdfs. Without a host it is
// that of fs.defaultFS. The rest comes from the environment:
//
//	HADOOP_CONF_DIR        folder of core-site.xml and hdfs-site.xml
//	HADOOP_USER_NAME       the user, on a cluster without Kerberos
//	HADOOP_PROXY_USER      the user to act as, if the cluster allows it
//	KRB5_CLIENT_KTNAME     a keytab, on a cluster with Kerberos
//	TKIT_PRINCIPAL         the principal, if the keytab has several
//	KRB5CCNAME             the credential cache, without a keytab
//	KRB5_CONFIG            krb5.conf
//	TKIT_HDFS_CA           the trusted certificates, in PEM; the system's if unset
func ParseConfig(uri string) (Config, error) {
	place, err := hdfs.ParsePlace(uri, Scheme, TLSScheme)
	if err != nil {
		return Config{}, err
	}
	return Config{
		Client: webhdfs.Config{
			Authority: place.Authority,
			TLS:       place.Scheme == TLSScheme,
		},
		Root: place.Root,
	}, nil
}

// uri returns the canonical form.
func (c Config) uri() string {
	scheme := Scheme
	if c.Client.TLS {
		scheme = TLSScheme
	}
	return hdfs.Place{Scheme: scheme, Authority: c.Client.Authority, Root: c.Root}.URI()
}
