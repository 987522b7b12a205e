package hdfs

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/needs"
)

// writeFiles makes a folder of files.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return dir
}

var awkward = map[string]string{
	"core-site.xml": `<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="configuration.xsl"?>
<!DOCTYPE configuration [<!ENTITY unused "x">]>
<configuration xmlns:xi="http://www.w3.org/2001/XInclude">
  <property>
    <name> x.plain </name>
    <value>
      spaced and <!-- said --> commented
    </value>
    <description>${x.none} &amp; <![CDATA[<more>]]></description>
  </property>
  <property><name>x.twice</name><value>first</value></property>
  <property><name>x.twice</name><value>second</value></property>
  <property><name>x.final</name><value>kept</value><final>true</final></property>
  <property><name>x.final</name><value>lost</value></property>
  <property><name>x.overridden</name><value>lost</value></property>
  <property name="x.attributes" value="yes" final="true"/>
  <property><name>x.empty</name><value/></property>
  <property><name>x.blank</name><value> </value></property>
  <property><name>x.stays</name><value>yes</value></property>
  <property><name>x.host</name><value>nn-${x.number}.example</value></property>
  <property><name>x.number</name><value>7</value></property>
  <property><name>x.address</name><value>${x.host}:${env.TKIT_SITE_PORT:-8020}</value></property>
  <property><name>x.set</name><value>${env.TKIT_SITE_SET:-no}-${env.TKIT_SITE_EMPTY-no}${env.TKIT_SITE_EMPTY:-empty}</value></property>
  <property><name>x.user</name><value>/user/${user.name}</value></property>
  <property><name>x.nothing</name><value>${x.none} ${env.TKIT_SITE_NONE} $x.number ${x number}</value></property>
  <property><name>x.circle</name><value>${x.circle}</value></property>
  <xi:include href="more/included.xml"/>
  <xi:include href="missing.xml"><xi:fallback><property><name>x.fallback</name><value>taken</value></property></xi:fallback></xi:include>
  <xi:include href="more/included.xml"><xi:fallback><property><name>x.unneeded</name><value>taken</value></property></xi:fallback></xi:include>
</configuration>`,
	"more/included.xml": `<configuration xmlns:xi="http://www.w3.org/2001/XInclude">
  <property><name>x.included</name><value>${x.number}</value></property>
  <xi:include href="more/beside.xml"/>
</configuration>`,
	"more/beside.xml": `<configuration><property><name>x.beside</name><value>yes</value></property></configuration>`,
	"hdfs-site.xml": `<configuration>
  <property><name>x.overridden</name><value>later</value></property>
  <property><name>x.stays</name><value></value></property>
  <property><name>x.attributes</name><value>lost</value></property>
  <property><name>x.final</name><value>lost</value></property>
</configuration>`,
}

const dump = `import org.apache.hadoop.hdfs.HdfsConfiguration;
public class Dump {
  public static void main(String[] names) {
    HdfsConfiguration c = new HdfsConfiguration();
    for (String name : names) { String v = c.getTrimmed(name); System.out.println(v == null ? "(none)" : v.replace("\n", "|")); }
  }
}`

// A configuration means the same as to Hadoop itself.
func TestSite(t *testing.T) {
	t.Setenv("TKIT_SITE_SET", "yes")
	t.Setenv("TKIT_SITE_EMPTY", "")
	dir := writeFiles(t, awkward)
	got, err := readSite(dir)
	must(t, err)
	names := append(slices.Sorted(maps.Keys(got)), "x.unneeded", "x.empty")
	for _, name := range []string{"x.plain", "x.beside", "x.fallback"} {
		if !slices.Contains(names, name) {
			t.Errorf("no %s in %q", name, names)
		}
	}
	needs.JVM(t)
	lib, err := hdfstest.Jars()
	must(t, err)
	program := filepath.Join(t.TempDir(), "Dump.java")
	must(t, os.WriteFile(program, []byte(dump), 0o600))
	cmd := exec.CommandContext(t.Context(), "java", append([]string{"-XX:TieredStopAtLevel=1", "-cp", dir + ":" + filepath.Join(lib, "*"), program}, names...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	theirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(theirs) != len(names) {
		t.Fatalf("%d values of %d", len(theirs), len(names))
	}
	for i, name := range names {
		ours, ok := got[name]
		if !ok {
			ours = "(none)"
		}
		if ours = strings.ReplaceAll(ours, "\n", "|"); ours != theirs[i] {
			t.Errorf("%s is %q, and %q to Hadoop", name, ours, theirs[i])
		}
	}
}

// An error in a configuration names the file and the remedy.
func TestWrongSite(t *testing.T) {
	t.Setenv("HADOOP_CONF_DIR", "")
	t.Setenv("HADOOP_HOME", "")
	property := func(pairs ...string) string {
		text := "<configuration>"
		for i := 0; i < len(pairs); i += 2 {
			text += "<property><name>" + pairs[i] + "</name><value>" + pairs[i+1] + "</value></property>"
		}
		return text + "</configuration>"
	}
	included := func(href string) string {
		return `<configuration xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="` + href + `"/></configuration>`
	}
	service := []string{"dfs.nameservices", "ns", "dfs.ha.namenodes.ns", "a, b", "dfs.namenode.rpc-address.ns.a", "a.example"}
	for name, c := range map[string]struct{ authority, file, want string }{
		"no XML":                {"", "<configuration><property>", "core-site.xml: XML syntax error"},
		"something else":        {"", "<html/>", "not a Hadoop configuration"},
		"an empty file":         {"", "", "core-site.xml: EOF"},
		"another encoding":      {"", `<?xml version="1.0" encoding="UTF-16"?><configuration/>`, "save it as UTF-8"},
		"a missing part":        {"", included("none.xml"), "none.xml, which does not exist"},
		"a part elsewhere":      {"", included("http://example/x.xml"), "copy it into the folder"},
		"a circle":              {"", included("core-site.xml"), "include each other"},
		"no NameNode":           {"", property("x", "y"), "hdfs://HOST:PORT/PATH"},
		"another store":         {"", property("fs.defaultFS", "viewfs://x"), "hdfs://HOST:PORT/PATH"},
		"no name of a service":  {"x", property(service...), "name services of hdfs-site.xml: ns"},
		"a service with a port": {"ns:8020", property(service...), "write ns instead of ns:8020"},
		"a missing address":     {"ns", property(service...), "no dfs.namenode.rpc-address.ns.b"},
		"a missing variable":    {"ns", property(append(service, "dfs.namenode.rpc-address.ns.b", "${nn.b}:1")...), "${nn.b}:1"},
		"a ticket to nobody":    {"nn:1", property("hadoop.security.authentication", "kerberos"), "dfs.namenode.kerberos.principal"},
		// The library would fail on these, though they are not used.
		"a port that is none": {"nn:1", property("fs.defaultFS", "hdfs://nn:80a", "hadoop.security.authentication", "kerberos"), "dfs.namenode.kerberos.principal"},
	} {
		_, err := Config{Authority: c.authority, ConfDir: writeFiles(t, map[string]string{"core-site.xml": c.file})}.settings()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := (Config{ConfDir: t.TempDir()}).settings(); err == nil || !strings.Contains(err.Error(), "HADOOP_CONF_DIR") || !strings.Contains(err.Error(), "core-site.xml") {
		t.Errorf("an empty folder: %v", err)
	}
	s, err := Config{Authority: "ns", ConfDir: writeFiles(t, map[string]string{"hdfs-site.xml": property(append(service,
		"dfs.namenode.rpc-address.ns.b", "b.example:1", protectionKey, "authentication, privacy")...)})}.settings()
	if err != nil || !slices.Equal(s.options.Addresses, []string{"a.example:8020", "b.example:1"}) || s.options.DataTransferProtection != "privacy" {
		t.Errorf("%+v, %v", s.options, err)
	}
}

// Reading any file ends, and every value is trimmed.
func FuzzSite(f *testing.F) {
	for _, content := range awkward {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		defer fuzztest.Watch(t, len(content))()
		s := site{t.TempDir(), map[string]string{}, map[string]bool{}}
		if s.read(strings.NewReader(content), 0) != nil {
			return
		}
		for name, value := range s.values {
			if name != strings.TrimSpace(name) || value != strings.TrimSpace(value) {
				t.Errorf("%q is %q", name, value)
			}
			s.expand(value)
		}
	})
}
