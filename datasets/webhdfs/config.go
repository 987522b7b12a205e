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

// Config says where a tree is and as whom it is read.
type Config struct {
	Client webhdfs.Config
	// Root is the absolute path of the folder that is the tree's root.
	Root string
}

// ParseConfig reads webhdfs://HOST:PORT/PATH or webhdfs://NAMESERVICE/PATH, in
// which %xx stands for a byte, or the same with swebhdfs. Without a host it is
// that of fs.defaultFS. The rest is the environment's:
//
//	HADOOP_CONF_DIR        folder of core-site.xml and hdfs-site.xml
//	HADOOP_USER_NAME       the user, on a cluster without Kerberos
//	HADOOP_PROXY_USER      the user to act as, if the cluster allows it
//	KRB5_CLIENT_KTNAME     a keytab, on a cluster with Kerberos
//	TKIT_PRINCIPAL         whose of its keys, where it has several
//	KRB5CCNAME             the credential cache, without a keytab
//	KRB5_CONFIG            krb5.conf
//	TKIT_HDFS_CA           the certificates to believe, in PEM; the system's if unset
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

// uri is the canonical form.
func (c Config) uri() string {
	scheme := Scheme
	if c.Client.TLS {
		scheme = TLSScheme
	}
	return hdfs.Place{Scheme: scheme, Authority: c.Client.Authority, Root: c.Root}.URI()
}
