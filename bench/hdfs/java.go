package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"tkit/bench/peer"
	"tkit/internal/hdfs/hdfstest"
)

//go:embed Reader.java
var source []byte

// javaClient is Hadoop's own client in a persistent, warmed-up process.
type javaClient struct {
	images int
	dir    string
	peer   *peer.Peer
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
	cmd := exec.CommandContext(ctx, "java", "-Xmx512m", "-cp", strings.Join([]string{j.dir, cluster.ConfDir(), jars}, ":"),
		"Reader", cluster.URI()+root, strconv.Itoa(images), strconv.Itoa(size))
	cmd.Stderr = &j.stderr
	if j.peer, err = peer.Start(cmd); err != nil {
		return nil, err
	}
	return j, nil
}

// round reads all images with the given number of threads and returns images/s.
func (j *javaClient) round(readers int) (float64, error) {
	line, err := j.peer.Ask(strconv.Itoa(readers))
	if err != nil {
		return 0, fmt.Errorf("java: %w\n%s", err, j.stderr.Bytes())
	}
	seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(line)), 64)
	return float64(j.images) / seconds, err
}

func (j *javaClient) close() error {
	return errors.Join(j.peer.Close(), os.RemoveAll(j.dir))
}
