package hdfstest

import (
	"os/user"
	"testing"

	"tkit/internal/needs"
	"tkit/internal/testserver"
)

// Shared returns a cluster shared by the tests of one binary. The first use
// starts it and needs a Java virtual machine; Main stops it:
//
//	var cluster = hdfstest.Shared(hdfstest.Config{})
//
//	func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }
func Shared(config Config) func(testing.TB) *Cluster {
	return testserver.Shared(needs.JVM, func() (*Cluster, error) { return Start(config) })
}

// Main runs the tests, stops the shared clusters, and returns the exit status.
func Main(m *testing.M) int { return testserver.Main(m) }

// superuser returns the user of the servers.
func superuser() string {
	u, err := user.Current()
	if err != nil {
		return "root"
	}
	return u.Username
}
