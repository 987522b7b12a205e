package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"

	"tkit/bench/measure"
	"tkit/bench/reading"
	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/folder"
	"tkit/datasets/hdfs"
	"tkit/datasets/sequencefile"
	"tkit/datasets/tarshards"
	"tkit/datasets/webhdfs"
	"tkit/internal/hdfs/hdfstest"
)

const perShard = 2000 // images: 40 MB

// way is a protocol to access the cluster, and the number of rounds it is
// measured.
type way struct {
	scheme string
	rounds int
	open   func(ctx context.Context, cluster *hdfstest.Cluster, root string) (files.Tree, error)
}

// ways returns both; over WebHDFS a round of single files takes seconds.
func ways(rounds int) []way {
	return []way{
		{"webhdfs://", (rounds + 1) / 2, func(ctx context.Context, cluster *hdfstest.Cluster, root string) (files.Tree, error) {
			c := webhdfs.Config{Root: root}
			c.Client.Authority = cluster.NameNodeHTTP(0)
			return webhdfs.New(ctx, c)
		}},
		{"hdfs://", rounds, func(ctx context.Context, cluster *hdfstest.Cluster, root string) (files.Tree, error) {
			c := hdfs.Config{Root: root}
			c.Client.Authority = cluster.NameNode(0)
			return hdfs.New(ctx, c)
		}},
	}
}

// compare stores the images in three ways, and reads them in turn.
func compare(ctx context.Context, n, rounds int) (rows []measure.Row, err error) {
	cluster, err := hdfstest.Start(hdfstest.Config{})
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	if err := store(ctx, cluster, reading.Draw(n)); err != nil {
		return nil, err
	}
	for _, w := range ways(rounds) {
		more, err := w.compare(ctx, cluster, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// compare reads each format alternating with single files.
func (w way) compare(ctx context.Context, cluster *hdfstest.Cluster, n int) (rows []measure.Row, err error) {
	single, err := w.side(ctx, cluster, n, "/single", func(t files.Tree) (datasets.Source, error) {
		return folder.New(t, folder.Config{}), nil
	})
	if err != nil {
		return nil, err
	}
	for _, format := range []struct {
		name, root string
		open       func(files.Tree) (datasets.Source, error)
	}{
		{"tar shards", "/tar", func(t files.Tree) (datasets.Source, error) { return tarshards.New(t, tarshards.Config{}), nil }},
		{"SequenceFiles", "/sequence", func(t files.Tree) (datasets.Source, error) {
			return sequencefile.New(t, sequencefile.Config{})
		}},
	} {
		packed, err := w.side(ctx, cluster, n, format.root, format.open)
		if err != nil {
			return nil, err
		}
		a, b, ratio, err := measure.Interleave(w.rounds, func() (float64, error) { return packed.Round(ctx, packed.readers) }, func() (float64, error) { return single.Round(ctx, single.readers) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, measure.Row{
			What: "images of 20 KB by " + w.scheme + " in " + format.name, Against: "as single files",
			Measured: a, Reference: b, Unit: "images/s", Ratio: ratio, Target: 5,
			Note: fmt.Sprintf("%d readers, and %d of single files", packed.readers, single.readers),
		})
	}
	return rows, nil
}

// store writes the images as single files, in tar files and in SequenceFiles.
func store(ctx context.Context, cluster *hdfstest.Cluster, all []reading.Image) error {
	written := make(map[string][]byte)
	for i := 0; i < len(all); i += perShard {
		part := all[i:min(len(all), i+perShard)]
		packed, err := tarOf(part)
		if err != nil {
			return err
		}
		written[fmt.Sprintf("/tar/%04d.tar", i/perShard)] = packed
		if packed, err = sequenceOf(part); err != nil {
			return err
		}
		written[fmt.Sprintf("/sequence/%04d.seq", i/perShard)] = packed
	}
	for _, s := range all {
		written["/single/"+s.Name] = s.Bytes
	}
	return cluster.Put(ctx, written)
}

func tarOf(part []reading.Image) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, s := range part {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: s.Name, Size: int64(len(s.Bytes)), Mode: 0o644}); err != nil {
			return nil, err
		}
		if _, err := w.Write(s.Bytes); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func sequenceOf(part []reading.Image) ([]byte, error) {
	entries := make([]sequencefile.Entry, len(part))
	for i, image := range part {
		entries[i] = sequencefile.Entry{Key: image.Name, Bytes: image.Bytes}
	}
	var b bytes.Buffer
	err := sequencefile.Write(&b, entries)
	return b.Bytes(), err
}

// side is one way to read the images.
type side struct {
	reading.Side
	readers int // the fastest number
}

func (w way) side(ctx context.Context, cluster *hdfstest.Cluster, images int, root string, of func(files.Tree) (datasets.Source, error)) (*side, error) {
	s := &side{Side: reading.Side{Images: images, Open: func(ctx context.Context) (datasets.Source, error) {
		tree, err := w.open(ctx, cluster, root)
		if err != nil {
			return nil, err
		}
		return of(tree)
	}}}
	var err error
	s.readers, err = reading.Fastest(func(readers int) (float64, error) { return s.Round(ctx, readers) })
	return s, err
}
