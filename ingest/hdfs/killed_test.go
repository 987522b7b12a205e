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

// A pipeline that is killed again and again ends with each image in HDFS once.
func TestKilled(t *testing.T) {
	p := newPlace(t)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const images = 150
	var want []string
	for i := range images {
		image := fmt.Appendf(nil, "image %d", i)
		write(fmt.Sprintf("in/%d", i), image)
		want = append(want, nameOf(image)+".image", nameOf(image)+".json")
	}
	slices.Sort(want)
	file := write("pipeline.yaml", []byte(`
name: killed
input:
  tkit_directory: {path: in, settle: 1ms, after: delete}
output:
  tkit_hdfs: {path: "hdfs://`+p.config.Root+`"}
`))
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
}
