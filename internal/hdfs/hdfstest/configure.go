package hdfstest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// nameService is the logical name of a cluster with two NameNodes.
const nameService = "ns"

// groups are the users of the tests, each with its groups. The process's own
// user is the superuser, as always in HDFS.
const groups = "hdfs=supergroup;alice=alice,team;bob=bob,team;carol=carol"

// configure writes the configuration folder of servers and clients.
func (c *Cluster) configure() error {
	// The jars lack the web pages; empty folders suffice for the servers.
	for _, dir := range []string{"log", "temp", "conf/webapps/hdfs", "conf/webapps/datanode"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o700); err != nil {
			return err
		}
	}
	core := map[string]string{
		"fs.defaultFS":   c.URI(),
		"hadoop.tmp.dir": filepath.Join(c.dir, "tmp"),
		"hadoop.user.group.static.mapping.overrides": groups,
		"hadoop.http.staticuser.user":                "nobody",
		"ipc.client.connect.retry.interval":          "100",
	}
	hdfs := map[string]string{
		"dfs.permissions.superusergroup":                            "supergroup",
		"dfs.namenode.acls.enabled":                                 "true",
		"dfs.replication":                                           fmt.Sprint(min(c.config.DataNodes, 3)),
		"dfs.namenode.safemode.extension":                           "0",
		"dfs.namenode.safemode.min.datanodes":                       "1",
		"dfs.heartbeat.interval":                                    "1",
		"dfs.namenode.heartbeat.recheck-interval":                   "1000", // a DataNode is dead after 12 s
		"dfs.namenode.stale.datanode.interval":                      "5000",
		"dfs.namenode.datanode.registration.ip-hostname-check":      "false",
		"dfs.namenode.resource.du.reserved":                         "0",
		"dfs.namenode.fs-limits.min-block-size":                     "4096",
		"dfs.namenode.edits.noeditlogchannelflush":                  "true",
		"dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
		"dfs.datanode.hostname":                                     c.host,
	}
	if c.config.HA {
		maps.Copy(hdfs, c.twoNameNodes())
	} else {
		hdfs["dfs.namenode.name.dir"] = "file://" + c.nameDir(0)
		hdfs["dfs.namenode.rpc-address"] = c.NameNode(0)
		hdfs["dfs.namenode.http-address"] = c.NameNodeHTTP(0)
	}
	if c.config.Kerberos {
		c.kerberize(core, hdfs)
	}
	if c.config.HttpFS {
		c.letActForAnyone(core, c.gatewayUser())
		if err := c.configureHttpFS(); err != nil {
			return err
		}
	}
	if c.config.Encryption {
		core["hadoop.security.key.provider.path"] = "jceks://file" + filepath.Join(c.dir, "keys.jceks")
	}
	maps.Copy(core, c.config.Core)
	maps.Copy(hdfs, c.config.HDFS)
	for name, properties := range map[string]map[string]string{"core-site.xml": core, "hdfs-site.xml": hdfs} {
		if err := writeSite(filepath.Join(c.ConfDir(), name), properties); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(c.ConfDir(), "log4j.properties"), []byte(logging), 0o600)
}

// twoNameNodes returns the properties of NameNodes that share their edits in a
// folder, without ZooKeeper: Failover alone chooses the active one.
func (c *Cluster) twoNameNodes() map[string]string {
	p := map[string]string{
		"dfs.nameservices":                                  nameService,
		"dfs.ha.namenodes." + nameService:                   "nn0,nn1",
		"dfs.namenode.shared.edits.dir":                     "file://" + filepath.Join(c.dir, "shared"),
		"dfs.ha.tail-edits.period":                          "1",
		"dfs.ha.log-roll.period":                            "5",
		"dfs.ha.standby.checkpoints":                        "false",
		"dfs.ha.fencing.methods":                            "shell(/bin/true)",
		"dfs.client.failover.proxy.provider." + nameService: "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider",
	}
	for i := range c.nameNodes() {
		p[fmt.Sprintf("dfs.namenode.rpc-address.%s.nn%d", nameService, i)] = c.NameNode(i)
		p[fmt.Sprintf("dfs.namenode.http-address.%s.nn%d", nameService, i)] = c.NameNodeHTTP(i)
	}
	return p
}

// letActForAnyone makes a user a proxy user.
func (c *Cluster) letActForAnyone(core map[string]string, user string) {
	core["hadoop.proxyuser."+user+".hosts"] = "*"
	core["hadoop.proxyuser."+user+".users"] = "*"
}

const logging = `log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.target=System.err
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.BlockStateChange=WARN
log4j.logger.org.apache.hadoop.hdfs.StateChange=WARN
log4j.logger.http.requests.namenode=WARN
log4j.logger.http.requests.datanode=WARN
log4j.logger.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=WARN
log4j.logger.org.apache.hadoop.hdfs.server.datanode.DataNode.clienttrace=WARN
`

func writeSite(path string, properties map[string]string) error {
	var b strings.Builder
	b.WriteString("<configuration>\n")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&b, "  <property><name>%s</name><value>", name)
		if err := xml.EscapeText(&b, []byte(properties[name])); err != nil {
			return err
		}
		b.WriteString("</value></property>\n")
	}
	b.WriteString("</configuration>\n")
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
