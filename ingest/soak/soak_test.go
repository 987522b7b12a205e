// Package soak_test runs one pipeline with all services, which are down one after the
// other while the pipeline is killed at random points.
//
// To add a service, write its function beside those in services_test.go and name it in
// parts.
package soak_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tkit/catalog"
	"tkit/inference/inferencetest"
	"tkit/ingest"
	"tkit/ingest/deadletter"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/needs"
	"tkit/internal/testserver"
)

// The variables with which the test starts its own program as another process.
const (
	childPipeline = "TKIT_TEST_PIPELINE" // runs the pipeline of this file
	childServer   = "TKIT_TEST_SERVER"   // serves models at this address
	childHome     = "TKIT_TEST_HOME"
	childOnce     = "TKIT_TEST_ONCE"
)

func TestMain(m *testing.M) {
	home := os.Getenv(childHome)
	switch {
	case os.Getenv(childPipeline) != "":
		os.Exit(exit(runPipeline(os.Getenv(childPipeline), home, os.Getenv(childOnce) != "")))
	case os.Getenv(childServer) != "":
		os.Exit(exit(serve(os.Getenv(childServer), home)))
	}
	os.Exit(hdfstest.Main(m))
}

func exit(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func runPipeline(file, home string, once bool) error {
	ctx := context.Background()
	k, err := catalog.Open(ctx, catalog.Options{Home: home})
	if err != nil {
		return err
	}
	defer k.Close()
	who, err := catalog.Self("")
	if err == nil {
		_, err = ingest.Run(ctx, ingest.Options{Home: home, File: file, Once: once, Catalog: k, Caller: who, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	}
	return err
}

// A plan says how long a soak takes, and what takes part.
type plan struct {
	parts   []func(*testing.T, *site) part
	kills   int
	outage  time.Duration // of each service
	between time.Duration // outages
	life    time.Duration // of a process, at most
	every   time.Duration // between images
}

// planOf returns the plan of make soak if TKIT_SOAK is set, and otherwise a short one
// without the services that need a Java virtual machine: their packages have tests of
// their own that kill them.
func planOf() plan {
	light := []func(*testing.T, *site) part{modelServer, postgres, smtpServer, webhook, folder}
	if os.Getenv("TKIT_SOAK") == "" {
		return plan{parts: light, kills: 4, outage: time.Second, between: time.Second, life: 3 * time.Second, every: 50 * time.Millisecond}
	}
	return plan{
		parts: append(light, hdfs, kafka, opensearch), kills: 50, outage: 30 * time.Second, between: 10 * time.Second, life: 10 * time.Second, every: 150 * time.Millisecond,
	}
}

// A site is where everything is.
type site struct {
	dir   string
	home  *inferencetest.Home
	file  string // of the pipeline
	log   string // of its processes
	parts []part
	good  map[string]string // the SHA-256 of the good images, by their sources
	bad   map[string]bool   // the sources of the bad ones
}

// A part is a service that may be down, a sink, or both.
type part struct {
	name     string
	down, up func() error // nil for a sink that cannot be down
	output   string       // as YAML on a line; "" for what is no sink
	// images returns how often the sink has each image, by its SHA-256.
	images func(t *testing.T) map[string]int
}

const pipeline = `
name: soak
input:
  tkit_directory: {path: in, poll: 2s, after: archive, archive: done}
pipeline:
  processors:
    - tkit_classify: {models: [flowers], server: "${SOAK_SERVER}"}
output:
  broker:
    outputs:
`

// While the services are down one after the other, and the pipeline is killed at random
// points, images arrive. In the end each good one is in each sink once, and each bad one
// in the dead letters once, with its cause.
func TestSoak(t *testing.T) {
	needs.Minutes(t)
	p := planOf()
	s := newSite(t, p)
	arriving := make(chan struct{})
	stop := make(chan struct{})
	go func() { defer close(arriving); s.arrive(t, p.every, stop) }()
	takenDown := make(chan struct{})
	go func() { defer close(takenDown); s.takeDown(t, p) }()
	for range p.kills {
		s.kill(t, p.life)
	}
	<-takenDown
	close(stop)
	<-arriving
	if t.Failed() {
		t.FailNow()
	}
	if err := s.start(t, "TKIT_TEST_ONCE=1").Wait(10 * time.Minute); err != nil {
		t.Fatalf("the last run: %v\n%s", err, testserver.Tail(s.log))
	}
	t.Logf("%d good images and %d bad ones", len(s.good), len(s.bad))
	for _, one := range s.parts {
		if one.images != nil {
			s.checkSink(t, one)
		}
	}
	s.checkDead(t)
	s.checkArchive(t)
}

func newSite(t *testing.T, p plan) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), home: inferencetest.New(t), good: make(map[string]string), bad: make(map[string]bool)}
	s.home.Serve(t, "flowers")
	s.file, s.log = filepath.Join(s.dir, "pipeline.yaml"), filepath.Join(s.dir, "log")
	text := pipeline
	for _, of := range p.parts {
		one := of(t, s)
		s.parts = append(s.parts, one)
		if one.output != "" {
			text += "      - " + one.output + "\n"
		}
	}
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// takeDown takes each service down for a while.
func (s *site) takeDown(t *testing.T, p plan) {
	for _, one := range s.parts {
		if one.down == nil {
			continue
		}
		time.Sleep(p.between)
		t.Logf("%s is down", one.name)
		err := one.down()
		if err == nil {
			time.Sleep(p.outage)
			err = one.up()
		}
		if err != nil {
			t.Errorf("%s: %v", one.name, err)
			return
		}
		t.Logf("%s is up", one.name)
	}
	time.Sleep(p.between)
}

// start starts a process that runs the pipeline.
func (s *site) start(t *testing.T, more ...string) *testserver.Process {
	t.Helper()
	return s.child(t, append(more, childPipeline+"="+s.file)...)
}

// child starts this program as another process.
func (s *site) child(t *testing.T, variables ...string) *testserver.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), append(variables, childHome+"="+s.home.Path)...)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := testserver.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// kill runs the pipeline and kills it after a random time. It must not end before.
func (s *site) kill(t *testing.T, most time.Duration) {
	t.Helper()
	process := s.start(t)
	time.Sleep(rand.N(most))
	if !process.Running() {
		t.Errorf("the pipeline ended:\n%s", testserver.Tail(s.log))
	}
	process.Kill()
}

// arrive writes images into the folder until stop is closed. Every tenth is bad, and some
// are written slowly.
func (s *site) arrive(t *testing.T, every time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		name, image := fmt.Sprintf("%d.jpg", i), inferencetest.JPEG(t, uint64(i))
		switch {
		case i%20 == 10:
			image = fmt.Appendf(nil, "no image %d", i)
		case i%20 == 0:
			image = image[:len(image)/2]
		}
		if i%10 == 0 {
			s.bad[name] = true
		} else {
			s.good[name] = sumOf(image)
		}
		if err := s.write(name, image, i%7 == 0); err != nil {
			t.Error(err)
			return
		}
	}
}

// write writes a file at once, or in two parts.
func (s *site) write(name string, content []byte, slowly bool) error {
	f, err := os.Create(filepath.Join(s.dir, "in", name))
	if err != nil {
		return err
	}
	defer f.Close()
	if slowly {
		if _, err := f.Write(content[:len(content)/3]); err != nil {
			return err
		}
		content = content[len(content)/3:]
		time.Sleep(100 * time.Millisecond)
	}
	_, err = f.Write(content)
	return err
}

// checkSink checks that a sink has each good image once, and nothing else.
func (s *site) checkSink(t *testing.T, of part) {
	t.Helper()
	has := of.images(t)
	missing, repeated := 0, 0
	for _, sum := range s.good {
		switch n := has[sum]; {
		case n == 0:
			missing++
		case n > 1:
			repeated++
		}
		delete(has, sum)
	}
	if missing+repeated+len(has) > 0 {
		t.Errorf("%s: of %d images %d are missing and %d are there more than once; %d others are there", of.name, len(s.good), missing, repeated, len(has))
	}
}

// checkDead checks that each bad image is a dead letter once.
func (s *site) checkDead(t *testing.T) {
	t.Helper()
	seen := make(map[string]bool)
	for l, err := range deadletter.OpenToRead(filepath.Join(s.home.Path, "ingest/soak/dead")).Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !s.bad[l.Source] || seen[l.Source] || l.Stage != "classify" || l.Cause == "" {
			t.Errorf("letter %+v", l)
		}
		seen[l.Source] = true
	}
	if len(seen) != len(s.bad) {
		t.Errorf("%d dead letters, want %d", len(seen), len(s.bad))
	}
}

// checkArchive checks that all files have left the folder of the input.
func (s *site) checkArchive(t *testing.T) {
	t.Helper()
	for folder, want := range map[string]int{"in": 0, "done": len(s.good) + len(s.bad)} {
		files, err := os.ReadDir(filepath.Join(s.dir, folder))
		if err != nil || len(files) != want {
			t.Errorf("%s has %d files, %v; want %d", folder, len(files), err, want)
		}
	}
}
