// Cluster starts a real HDFS on the loopback interface, copies folders into it,
// and keeps it running until standard input ends or a signal stops it. It is for
// experiments and for the demo; its data is removed at the end.
//
//	go run ./scripts/hadoop/cluster [FOLDER=/PATH]...
//
// When it is ready it prints three lines, HADOOP_CONF_DIR=…, WEBHDFS=… and HDFS=…,
// the latter with the cluster's URIs. `make deps-hadoop` installs the servers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"tkit/internal/hdfs/hdfstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hadoop/cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, copies []string) error {
	c, err := hdfstest.Start(hdfstest.Config{})
	if err != nil {
		return err
	}
	defer c.Stop()
	for _, arg := range copies {
		from, to, ok := strings.Cut(arg, "=")
		if !ok || !path.IsAbs(to) {
			return fmt.Errorf("%q: want FOLDER=/PATH", arg)
		}
		if err := upload(ctx, c, from, to); err != nil {
			return err
		}
	}
	fmt.Printf("HADOOP_CONF_DIR=%s\nWEBHDFS=webhdfs://%s\nHDFS=%s\n", c.ConfDir(), c.NameNodeHTTP(0), c.URI())
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// upload copies the files below a folder.
func upload(ctx context.Context, c *hdfstest.Cluster, from, to string) error {
	files := map[string][]byte{}
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		files[path.Join(to, filepath.ToSlash(below))] = content
		return err
	})
	return errors.Join(err, c.Put(ctx, files))
}
