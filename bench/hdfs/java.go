package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"tkit/internal/hdfs/hdfstest"
)

//go:embed Reader.java
var source []byte

// A javaClient is Hadoop's own client in a process that stays, warm, for all
// rounds.
type javaClient struct {
	images int
	dir    string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

// newJavaClient compiles and starts it.
func newJavaClient(ctx context.Context, cluster *hdfstest.Cluster, root string, images, size int) (_ *javaClient, err error) {
	lib, err := hdfstest.Jars()
	if err != nil {
		return nil, err
	}
	j := &javaClient{images: images}
	if j.dir, err = os.MkdirTemp("", "bench-hdfs-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(j.dir))
		}
	}()
	file, jars := filepath.Join(j.dir, "Reader.java"), filepath.Join(lib, "*")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "javac", "-cp", jars, "-d", j.dir, file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	j.cmd = exec.CommandContext(ctx, "java", "-Xmx512m", "-cp", strings.Join([]string{j.dir, cluster.ConfDir(), jars}, ":"),
		"Reader", cluster.URI()+root, strconv.Itoa(images), strconv.Itoa(size))
	j.cmd.Stderr = &j.stderr
	if j.in, err = j.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	j.out = bufio.NewScanner(out)
	return j, j.cmd.Start()
}

// round reads all images by so many threads and returns how many a second.
func (j *javaClient) round(readers int) (float64, error) {
	if _, err := fmt.Fprintln(j.in, readers); err != nil {
		return 0, fmt.Errorf("java: %w\n%s", err, j.stderr.Bytes())
	}
	if !j.out.Scan() {
		return 0, fmt.Errorf("java ended (%v)\n%s", j.out.Err(), j.stderr.Bytes())
	}
	seconds, err := strconv.ParseFloat(j.out.Text(), 64)
	return float64(j.images) / seconds, err
}

func (j *javaClient) close() error {
	return errors.Join(j.in.Close(), j.cmd.Wait(), os.RemoveAll(j.dir))
}
