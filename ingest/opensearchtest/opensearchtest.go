// Package opensearchtest starts a real OpenSearch for tests, from its jars and on
// loopback ports. `make deps-opensearch` installs the jars.
//
// The server is a child of the test and ends with it, even if the test is killed.
package opensearchtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"tkit/internal/needs"
	"tkit/internal/testserver"
)

// startTimeout bounds how long a server may take to start. Usually it takes seconds; the
// rest is for busy machines.
const startTimeout = 2 * time.Minute

// A Server is a running OpenSearch of one node, without TLS and accounts.
type Server struct {
	dir     string // holds the data, the configuration and the log
	deps    string // what scripts/opensearch/install installed
	ports   testserver.Ports
	process *testserver.Process
}

// Shared returns a server shared by the tests of one binary. The first use starts it and
// needs a Java virtual machine; Main stops it:
//
//	var server = opensearchtest.Shared()
//
//	func TestMain(m *testing.M) { os.Exit(opensearchtest.Main(m)) }
func Shared() func(testing.TB) *Server { return shared }

var shared = testserver.Shared(needs.JVM, Start)

// Main runs the tests, stops the server, and returns the exit status.
func Main(m *testing.M) int { return testserver.Main(m) }

// Start starts a server and returns when it accepts requests.
func Start() (*Server, error) {
	s := &Server{}
	err := s.prepare()
	if err == nil {
		err = s.Restart()
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("opensearchtest: %w", err)
	}
	return s, nil
}

func (s *Server) prepare() (err error) {
	if s.deps, err = needs.Installed("opensearch"); err != nil {
		return err
	}
	if s.ports, err = testserver.Reserve(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "opensearchtest-"); err != nil {
		return err
	}
	return os.Mkdir(filepath.Join(s.dir, "config"), 0o700)
}

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	if s.process != nil {
		s.process.Kill()
	}
	s.ports.Release()
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// URL is the server's address.
func (s *Server) URL() string { return "http://127.0.0.1:" + strconv.Itoa(s.ports.Base) }

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// Kill kills the server. Its data stay for Restart.
func (s *Server) Kill() { s.process.Kill() }

// Restart starts the server after Kill, and returns when it accepts requests.
func (s *Server) Restart() error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("java", "-Xmx256m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
		"-cp", filepath.Join(s.deps, "classes")+string(filepath.ListSeparator)+filepath.Join(s.deps, "lib", "*"),
		"Server", s.dir, strconv.Itoa(s.ports.Base), strconv.Itoa(s.ports.Base+1))
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	if s.process, err = testserver.Start(cmd); err != nil {
		return err
	}
	// Shards that were written before are ready some time after the HTTP server.
	const ready = "/_cluster/health?wait_for_status=yellow&timeout=10s"
	for end := time.Now().Add(startTimeout); s.Do(http.MethodGet, ready, "", nil) != nil; time.Sleep(50 * time.Millisecond) {
		if !s.process.Running() {
			return fmt.Errorf("the server ended:\n%s", testserver.Tail(s.log()))
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server does not serve\n%s", testserver.Tail(s.log()))
		}
	}
	return nil
}

// Do sends a request with an optional body in JSON, and decodes the response unless into
// is nil.
func (s *Server) Do(method, path, body string, into any) error {
	r, err := http.NewRequest(method, s.URL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// A Document is one of an index.
type Document struct {
	ID      string         `json:"_id"`
	Version int            `json:"_version"` // how often it was written
	Source  map[string]any `json:"_source"`
}

// Documents returns the documents of an index, at most 10,000, as a search finds them.
func (s *Server) Documents(index string) ([]Document, error) {
	if err := s.Do(http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
		return nil, err
	}
	var found struct {
		Hits struct{ Hits []Document }
	}
	err := s.Do(http.MethodGet, "/"+index+"/_search?version=true&size=10000", "", &found)
	return found.Hits.Hits, err
}
