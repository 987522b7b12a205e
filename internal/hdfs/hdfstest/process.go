package hdfstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tkit/internal/testserver"
)

// processes are a cluster's servers by name.
type processes struct {
	mu    sync.Mutex
	named map[string]*testserver.Process
}

func (s *processes) put(name string, p *testserver.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named == nil {
		s.named = map[string]*testserver.Process{}
	}
	s.named[name] = p
}

func (s *processes) get(name string) (*testserver.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.named[name]
	if p == nil {
		return nil, fmt.Errorf("hdfstest: no %s was ever started", name)
	}
	return p, nil
}

// failed returns the name of a server that exited unexpectedly.
func (s *processes) failed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.named {
		if p.Failed() {
			return name
		}
	}
	return ""
}

func (s *processes) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.named {
		p.Kill()
	}
	s.named = nil
}

// java starts a Hadoop class with its output in log/NAME.
func (c *Cluster) java(name string, args ...string) (*testserver.Process, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, "log", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	line := []string{
		"-Xmx256m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"--add-opens=java.base/java.lang=ALL-UNNAMED", "-Djava.net.preferIPv4Stack=true",
		"-Dhttpfs.home.dir=" + c.dir, // conf, log and temp are below it
	}
	if c.config.Kerberos {
		line = append(line, "-Djava.security.krb5.conf="+c.krb5Conf())
	}
	// Java uses the archive of classes only if the class path begins with the jars
	// as in scripts/hadoop/install. One of the jars has a log4j.properties too.
	jars, err := filepath.Glob(filepath.Join(c.lib, "*.jar"))
	if err != nil {
		return nil, err
	}
	line = append(line, "-XX:SharedArchiveFile="+filepath.Join(filepath.Dir(c.lib), "classes.jsa"),
		"-Dlog4j.configuration=file:"+filepath.Join(c.ConfDir(), "log4j.properties"),
		"-cp", strings.Join(append(jars, c.ConfDir()), ":"))
	cmd := exec.Command("java", append(line, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = c.dir
	cmd.Env = environment()
	p, err := testserver.Start(cmd)
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = fmt.Errorf("%w (Debian: apt-get install openjdk-17-jdk-headless)", err)
		}
		return nil, err
	}
	c.processes.put(name, p)
	return p, nil
}

// environment returns the environment without the variables that set a test
// client's user: servers and shells run as the superuser.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "HADOOP_USER_NAME" || name == "HADOOP_PROXY_USER"
	})
}
