package hdfstest

import (
	"os"
	"path/filepath"
	"strconv"
)

const (
	httpFSClass      = "org.apache.hadoop.fs.http.server.HttpFSServerWebServer"
	gatewayPrincipal = "httpfs/localhost"
)

// gatewayUser is the gateway's user in the cluster.
func (c *Cluster) gatewayUser() string {
	if c.config.Kerberos {
		return "httpfs"
	}
	return superuser()
}

func (c *Cluster) configureHttpFS() error {
	properties := map[string]string{
		"httpfs.http.hostname":                    c.host,
		"httpfs.http.port":                        strconv.Itoa(c.ports.httpFS()),
		"httpfs.proxyuser." + Service + ".hosts":  "*",
		"httpfs.proxyuser." + Service + ".groups": "*",
	}
	if c.config.Kerberos {
		properties["httpfs.hadoop.authentication.type"] = "kerberos"
		properties["httpfs.hadoop.authentication.kerberos.principal"] = gatewayPrincipal + "@" + Realm
		properties["httpfs.hadoop.authentication.kerberos.keytab"] = c.Keytab()
		properties["hadoop.http.authentication.type"] = "kerberos"
		properties["hadoop.http.authentication.kerberos.principal"] = webPrincipal + "@" + Realm
		properties["hadoop.http.authentication.kerberos.keytab"] = c.Keytab()
	}
	if err := os.WriteFile(filepath.Join(c.ConfDir(), "httpfs-signature.secret"), []byte("for tests"), 0o600); err != nil {
		return err
	}
	return writeSite(filepath.Join(c.ConfDir(), "httpfs-site.xml"), properties)
}

func (c *Cluster) launchHttpFS() error {
	_, err := c.java("httpfs", httpFSClass)
	return err
}
