package hdfstest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Realm is the realm of all principals.
const Realm = "EXAMPLE.COM"

const webPrincipal = "HTTP/localhost"

// principals are created in this order.
var principals = []string{Superuser, webPrincipal, gatewayPrincipal, "alice", "bob", "carol", Service}

// clockSkew is how long servers accept expired tickets. The default of five
// minutes would hide a ticket's expiry.
const clockSkew = 5 * time.Second

const kdcClass = "org.apache.hadoop.minikdc.MiniKdc"

// Keytab returns the file with the keys of all principals.
func (c *Cluster) Keytab() string { return filepath.Join(c.dir, "keytab") }

// CA returns the file with the servers' CA certificate, in PEM.
func (c *Cluster) CA() string { return filepath.Join(c.dir, "ca.pem") }

// krb5Conf returns the servers' krb5.conf.
func (c *Cluster) krb5Conf() string { return filepath.Join(c.dir, "krb5.conf") }

// WriteKerberosConfig writes a krb5.conf that requests tickets of a given
// lifetime.
func (c *Cluster) WriteKerberosConfig(path string, life time.Duration) error {
	return os.WriteFile(path, fmt.Appendf(nil, `[libdefaults]
  default_realm = %[1]s
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  clockskew = %[2]d
  ticket_lifetime = %[3]d
  renew_lifetime = 1d
  permitted_enctypes = aes128-cts-hmac-sha1-96
[realms]
  %[1]s = {
    kdc = 127.0.0.1:%[4]d
  }
[domain_realm]
  localhost = %[1]s
`, Realm, int(clockSkew.Seconds()), int(life.Seconds()), c.ports.kdc()), 0o600)
}

// kerberize adds the properties of servers that accept tickets only.
func (c *Cluster) kerberize(core, hdfs map[string]string) {
	c.letActForAnyone(core, Service)
	web, server := webPrincipal+"@"+Realm, Superuser+"@"+Realm
	maps.Copy(core, map[string]string{
		"hadoop.security.authentication":                "kerberos",
		"hadoop.security.authorization":                 "true",
		"hadoop.kerberos.min.seconds.before.relogin":    "1",
		"hadoop.http.authentication.type":               "kerberos",
		"hadoop.http.authentication.kerberos.principal": web,
		"hadoop.http.authentication.kerberos.keytab":    c.Keytab(),
		"hadoop.http.authentication.token.validity":     "5", // so that tickets are presented repeatedly
		"hadoop.security.auth_to_local.mechanism":       "hadoop",
		"hadoop.security.token.service.use_ip":          "true",
	})
	maps.Copy(hdfs, map[string]string{
		"dfs.namenode.kerberos.principal":           server,
		"dfs.namenode.keytab.file":                  c.Keytab(),
		"dfs.datanode.kerberos.principal":           server,
		"dfs.datanode.keytab.file":                  c.Keytab(),
		"dfs.web.authentication.kerberos.principal": web,
		"dfs.web.authentication.kerberos.keytab":    c.Keytab(),
		"dfs.block.access.token.enable":             "true",
		"dfs.data.transfer.protection":              "authentication",
		"ignore.secure.ports.for.testing":           "true",
		"dfs.http.policy":                           "HTTP_AND_HTTPS",
	})
	for i := range c.nameNodes() {
		name := "dfs.namenode.https-address"
		if c.config.HA {
			name += "." + nameService + "." + nameNode(i)
		}
		hdfs[name] = c.NameNodeHTTPS(i)
	}
}

// startKerberos starts the KDC and makes the servers' certificate.
func (c *Cluster) startKerberos(ctx context.Context) error {
	if err := c.WriteKerberosConfig(c.krb5Conf(), 24*time.Hour); err != nil {
		return err
	}
	if err := c.makeCertificate(); err != nil {
		return err
	}
	properties := filepath.Join(c.dir, "kdc.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, `org.name=EXAMPLE
org.domain=COM
instance=tkit
debug=false
kdc.bind.address=127.0.0.1
kdc.port=%d
transport=TCP
max.ticket.lifetime=86400
max.renewable.lifetime=604800
`, c.ports.kdc()), 0o600); err != nil {
		return err
	}
	work := filepath.Join(c.dir, "kdc")
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	if _, err := c.java("kdc", append([]string{kdcClass, work, properties, c.Keytab()}, principals...)...); err != nil {
		return err
	}
	// The keytab lists the principals in order.
	last := principals[len(principals)-1]
	return c.poll(ctx, "the KDC", func() bool {
		client, err := c.login(last)
		if err != nil {
			return false
		}
		client.Destroy()
		return true
	})
}

// login gets a ticket from the keytab.
func (c *Cluster) login(principal string) (*krb.Client, error) {
	keys, err := keytab.Load(c.Keytab())
	if err != nil {
		return nil, err
	}
	conf, err := config.Load(c.krb5Conf())
	if err != nil {
		return nil, err
	}
	client := krb.NewWithKeytab(principal, Realm, keys, conf, krb.DisablePAFXFAST(true))
	return client, client.Login()
}

const storePassword = "changeit"

// makeCertificate makes the servers' key and certificate and configures them.
func (c *Cluster) makeCertificate() error {
	store := filepath.Join(c.dir, "key.p12")
	common := []string{"-alias", "server", "-storetype", "PKCS12", "-keystore", store, "-storepass", storePassword}
	for _, args := range [][]string{
		append([]string{"-genkeypair", "-keyalg", "EC", "-validity", "2", "-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1"}, common...),
		append([]string{"-exportcert", "-rfc", "-file", c.CA()}, common...),
	} {
		if out, err := exec.Command("keytool", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("keytool: %w\n%s", err, out)
		}
	}
	server := map[string]string{}
	for _, kind := range []string{"keystore", "truststore"} {
		server["ssl.server."+kind+".location"] = store
		server["ssl.server."+kind+".type"] = "PKCS12"
		server["ssl.server."+kind+".password"] = storePassword
	}
	server["ssl.server.keystore.keypassword"] = storePassword
	return writeSite(filepath.Join(c.ConfDir(), "ssl-server.xml"), server)
}
