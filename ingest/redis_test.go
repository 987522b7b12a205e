package ingest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"tkit/ingest"
	"tkit/internal/needs"
	"tkit/internal/testserver"
)

// startRedis starts a Redis with the password let-me-in. It ends with the test.
func startRedis(t *testing.T, program string, port int) *testserver.Process {
	t.Helper()
	cmd := exec.Command(program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--requirepass", "let-me-in", "--dir", t.TempDir())
	cmd.Args[0] = "redis-server"
	p, err := testserver.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

const cached = `
name: cached
input:
  tkit_directory: {path: in, settle: 10ms}
pipeline:
  processors:
    - mutation: meta camera = @tkit_source.split("-").index(0)
    - branch:
        request_map: root = ""
        processors:
          - cached:
              cache: answers
              key: ${! @camera }
              processors:
                - http: {url: "${TEST_URL}", verb: GET, retries: 0}
        result_map: meta place = content().string()
cache_resources:
  - label: answers
    redis:
      url: ${TEST_REDIS}
      prefix: ${TEST_PREFIX}
      retries: {max_elapsed_time: 100ms, initial_interval: 10ms}
output:
  tkit_folder: {path: out}
delivery: {attempts: 1}
`

// What a service answers is kept in Redis, for every run and process. While Redis is
// down, images wait.
func TestRedisCache(t *testing.T) {
	program := needs.Redis(t)
	ports, err := testserver.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ports.Release)
	server := startRedis(t, program, ports.Base)
	var asked atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, "gate")
	}))
	defer service.Close()
	t.Setenv("TEST_URL", service.URL)
	t.Setenv("TEST_REDIS", fmt.Sprintf("redis://:let-me-in@127.0.0.1:%d", ports.Base))
	t.Setenv("TEST_PREFIX", "tkit-")
	p := newPlace(t)
	file := p.write(t, "pipeline.yaml", []byte(cached))
	run := func(images string) {
		t.Helper()
		for i := range 5 {
			p.write(t, fmt.Sprintf("in/north-%s%d.jpg", images, i), fmt.Append(nil, images, i))
		}
		o := p.options(file)
		ended := make(chan error, 1)
		go func() {
			_, err := ingest.Run(t.Context(), o)
			ended <- err
		}()
		if !server.Running() {
			until(t, func() bool { return o.Counters.Failed.Load() >= 5 })
			server = startRedis(t, program, ports.Base)
		}
		if err := <-ended; err != nil || o.Counters.Dead.Load() > 0 {
			t.Errorf("%d dead letters, %v: %+v", o.Counters.Dead.Load(), err, o.Counters.LastFailure.Load())
		}
	}
	run("first")
	first := asked.Load()
	run("second")
	if asked.Load() != first {
		t.Errorf("the service was asked again %d times", asked.Load()-first)
	}
	server.Kill()
	run("third")
	files, err := filepath.Glob(filepath.Join(p.dir, "out/*/*.json"))
	if err != nil || len(files) != 15 {
		t.Errorf("%d records, %v", len(files), err)
	}
	if record := p.records(t, "out")["north-third4.jpg"]; !strings.Contains(fmt.Sprint(record.Metadata), "place:gate") {
		t.Errorf("%+v", record)
	}
}
