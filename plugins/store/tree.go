package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// treeDigest returns "sha256:" and the SHA-256 of a list of all files below a
// folder: "DIGEST PATH", one per line, by path. Links and devices are errors.
func treeDigest(ctx context.Context, folder string) (string, error) {
	var paths []string
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if !e.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		return "", err
	}
	sums := make([][sha256.Size]byte, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range paths {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return sumFile(&sums[i], path)
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	whole := sha256.New()
	for i, path := range paths {
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(whole, "%x  %s\n", sums[i], name)
	}
	return "sha256:" + hex.EncodeToString(whole.Sum(nil)), nil
}

func sumFile(to *[sha256.Size]byte, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	h.Sum(to[:0])
	return nil
}
