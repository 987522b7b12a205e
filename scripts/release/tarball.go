package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
)

// writeTarball writes the product, with the C++ runtime, in one folder that
// may be moved anywhere.
func writeTarball(_ context.Context, o options, p product, path string) (err error) {
	all := maps.Clone(p.files)
	maps.Copy(all, p.runtime)
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return compress(out, all.below(o.name()), o.level, o.time)
}

// compress writes a tree as a tar archive with gzip, which every machine can
// read.
func compress(w io.Writer, t tree, level int, when time.Time) error {
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return err
	}
	if err := t.writeTar(z, when); err != nil {
		return err
	}
	return z.Close()
}
