package hdfs

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"tkit/internal/hdfs"
)

// Scheme is that of the URIs of this store.
const Scheme = "hdfs"

// Config gives a tree's location and user.
type Config struct {
	Client hdfs.Config
	// Root is the absolute path of the folder that is the tree's root.
	Root string
}

// ParseConfig parses hdfs://HOST:PORT/PATH or hdfs://NAMESERVICE/PATH, in which
// %xx is an escaped byte. Without a host it is that of fs.defaultFS. The rest
// comes from the environment:
//
//	HADOOP_CONF_DIR        folder of core-site.xml and hdfs-site.xml
//	HADOOP_USER_NAME       the user, on a cluster without Kerberos
//	KRB5_CLIENT_KTNAME     a keytab, on a cluster with Kerberos
//	TKIT_PRINCIPAL         the principal, if the keytab has several
//	KRB5CCNAME             the credential cache, without a keytab
//	KRB5_CONFIG            krb5.conf
func ParseConfig(uri string) (Config, error) {
	place, err := ParsePlace(uri, Scheme)
	if err != nil {
		return Config{}, err
	}
	return Config{Client: hdfs.Config{Authority: place.Authority}, Root: place.Root}, nil
}

// uri returns the canonical form.
func (c Config) uri() string {
	return Place{Scheme, c.Client.Authority, c.Root}.URI()
}

// Place is a folder of a cluster, given by a URI of either protocol.
type Place struct {
	Scheme    string
	Authority string // a name service, or a host with or without port; or ""
	Root      string // absolute and clean
}

// ParsePlace parses a URI with one of the given schemes.
func ParsePlace(uri string, schemes ...string) (Place, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return Place{}, err // a *url.Error, which contains the URI
	}
	switch {
	case !slices.Contains(schemes, u.Scheme):
		return Place{}, fmt.Errorf("%s: the scheme is not %s", u.Redacted(), strings.Join(schemes, " or "))
	case u.User != nil:
		return Place{}, fmt.Errorf("%s: a URI must not contain a user: set HADOOP_USER_NAME, or use a Kerberos ticket", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
		return Place{}, fmt.Errorf("%s: the URI may only have a host and a path: write ? as %%3F and # as %%23", uri)
	case strings.ContainsRune(u.Path, 0):
		return Place{}, fmt.Errorf("%q: the path has a zero byte", uri)
	}
	return Place{u.Scheme, u.Host, path.Clean("/" + u.Path)}, nil
}

// URI returns the canonical form.
func (p Place) URI() string {
	return (&url.URL{Scheme: p.Scheme, Host: p.Authority, Path: p.Root}).String()
}
