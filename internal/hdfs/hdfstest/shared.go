package hdfstest

import (
	"os/user"
	"sync"
	"testing"

	"tkit/internal/needs"
)

// Shared returns a cluster shared by the tests of one binary. The first use
// starts it and needs a Java virtual machine; Main stops it:
//
//	var cluster = hdfstest.Shared(hdfstest.Config{})
//
//	func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }
func Shared(config Config) func(testing.TB) *Cluster {
	get := sync.OnceValues(func() (*Cluster, error) {
		c, err := Start(config)
		if err == nil {
			running.Lock()
			running.clusters = append(running.clusters, c)
			running.Unlock()
		}
		return c, err
	})
	return func(t testing.TB) *Cluster {
		t.Helper()
		needs.JVM(t)
		c, err := get()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

var running struct {
	sync.Mutex
	clusters []*Cluster
}

// Main runs the tests, stops the shared clusters, and returns the exit status.
func Main(m *testing.M) int {
	defer func() {
		for _, c := range running.clusters {
			c.Stop()
		}
	}()
	return m.Run()
}

// superuser returns the user of the servers.
func superuser() string {
	u, err := user.Current()
	if err != nil {
		return "root"
	}
	return u.Username
}
