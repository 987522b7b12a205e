package hdfs_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tkit/ingest"
)

// childPipeline is the variable with which a test starts its own program as a process
// that runs a pipeline once. The home is beside the pipeline's file.
const childPipeline = "TKIT_TEST_PIPELINE"

// runChild runs a pipeline once and returns the exit status.
func runChild(file string) int {
	_, err := ingest.Run(context.Background(), ingest.Options{
		Home: filepath.Join(filepath.Dir(file), "home"), File: file, Once: true, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child returns the command of a process that runs a pipeline once.
func child(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childPipeline+"="+file)
	return cmd
}

// kill runs a pipeline and kills it after it has written some more images, or ends
// without.
func (p place) kill(t *testing.T, file string) {
	t.Helper()
	cmd := child(t, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for enough := len(p.files(t)) + rand.IntN(60); len(p.files(t)) < enough; {
		select {
		case <-ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Log(err) // it has just ended
	}
	<-ended
}

// files returns the files of the sink that programs of Hadoop would read, sorted.
func (p place) files(t *testing.T) (files []string) {
	t.Helper()
	for _, folder := range p.names(t, "") {
		if strings.HasPrefix(folder, ".") {
			continue
		}
		for _, name := range p.names(t, folder) {
			files = append(files, path.Join(folder, name))
		}
	}
	slices.Sort(files)
	return files
}

// A pipeline that is killed again and again ends with each image in its sink once, and
// each file in the archive once.
func TestKilled(t *testing.T) {
	p := newPlace(t)
	const images = 120
	arrived := make(map[string][]byte)
	var want []string
	for i := range images {
		image := fmt.Appendf(nil, "image %d", i)
		arrived[fmt.Sprintf("%s/in/%d/%d", path.Dir(p.config.Root), i%3, i)] = image
		want = append(want, nameOf(image)+".image", nameOf(image)+".json")
	}
	slices.Sort(want)
	p.arrive(t, arrived)
	file := filepath.Join(t.TempDir(), "pipeline.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(`
name: killed
input:
  tkit_hdfs: {path: "hdfs://PLACE/in", settle: 1ms, after: archive, archive: PLACE/done}
output:
  tkit_hdfs: {path: "hdfs://PLACE/sink"}
`, "PLACE", path.Dir(p.config.Root))), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.kill(t, file)
	}
	if out, err := child(t, file).CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	if got := p.files(t); !slices.Equal(got, want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for _, name := range want {
		if p.stat(t, name).Openable(0) != nil {
			t.Errorf("%s is not complete", name)
		}
	}
	for i := range 3 {
		in, done := p.names(t, fmt.Sprintf("../in/%d", i)), p.names(t, fmt.Sprintf("../done/%d", i))
		if len(in) > 0 || len(done) != images/3 {
			t.Errorf("folder %d has %q, and its archive %d files", i, in, len(done))
		}
	}
}
