package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/bench/measure"
	"tkit/datasets"
	"tkit/datasets/files"
	"tkit/datasets/folder"
	"tkit/datasets/sequencefile"
	"tkit/datasets/shards"
	"tkit/datasets/tarshards"
	"tkit/datasets/webhdfs"
	"tkit/internal/hdfs/hdfstest"
)

const (
	imageBytes = 20_000
	perShard   = 2000 // 40 MB
	perClass   = 200
)

// stored is one image of the data set.
type stored struct {
	name  string // CLASS/NUMBER.jpg
	bytes []byte
}

// draw makes images of random bytes: they are read, and not looked at.
func draw(n int) []stored {
	random := rand.NewChaCha8([32]byte{1})
	all := make([]stored, n)
	for i := range all {
		all[i] = stored{fmt.Sprintf("class-%03d/%06d.jpg", i/perClass, i), make([]byte, imageBytes)}
		random.Read(all[i].bytes) // never fails
	}
	return all
}

// compare stores the images three times, and reads them in turn.
func compare(ctx context.Context, n, rounds int) (_ []measure.Row, err error) {
	cluster, err := hdfstest.Start(hdfstest.Config{})
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	if err := store(ctx, cluster, draw(n)); err != nil {
		return nil, err
	}
	var rows []measure.Row
	single, err := newSide(ctx, cluster, n, "/single", func(t files.Tree) (datasets.Source, error) {
		return folder.New(t, folder.Config{}), nil
	})
	if err != nil {
		return nil, err
	}
	for _, format := range []struct {
		name, root string
		open       func(files.Tree) (datasets.Source, error)
	}{
		{"tar shards", "/tar", func(t files.Tree) (datasets.Source, error) { return tarshards.New(t, shards.Config{}), nil }},
		{"SequenceFiles", "/sequence", func(t files.Tree) (datasets.Source, error) {
			return sequencefile.New(t, sequencefile.Config{})
		}},
	} {
		packed, err := newSide(ctx, cluster, n, format.root, format.open)
		if err != nil {
			return nil, err
		}
		a, b, ratio, err := measure.Interleave(rounds, func() (float64, error) { return packed.round(ctx, packed.readers) }, func() (float64, error) { return single.round(ctx, single.readers) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, measure.Row{
			What: "images of 20 KB from HDFS in " + format.name, Against: "as single files",
			Measured: a, Reference: b, Unit: "images/s", Ratio: ratio, Target: 5,
			Note: fmt.Sprintf("%d readers, and %d of single files", packed.readers, single.readers),
		})
	}
	return rows, nil
}

// store writes the images as single files, in tar files and in SequenceFiles.
func store(ctx context.Context, cluster *hdfstest.Cluster, all []stored) error {
	written := make(map[string][]byte)
	for i := 0; i < len(all); i += perShard {
		part := all[i:min(len(all), i+perShard)]
		packed, err := tarOf(part)
		if err != nil {
			return err
		}
		written[fmt.Sprintf("/tar/%04d.tar", i/perShard)] = packed
		written[fmt.Sprintf("/sequence/%04d.seq", i/perShard)] = sequenceOf(part)
	}
	for _, s := range all {
		written["/single/"+s.name] = s.bytes
	}
	return cluster.Put(ctx, written)
}

func tarOf(part []stored) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, s := range part {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: s.name, Size: int64(len(s.bytes)), Mode: 0o644}); err != nil {
			return nil, err
		}
		if _, err := w.Write(s.bytes); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sequenceOf writes an uncompressed SequenceFile of Text and BytesWritable.
func sequenceOf(part []stored) []byte {
	text := func(s string) []byte { return append([]byte{byte(len(s))}, s...) } // of up to 127 bytes
	const sync = "16 bytes of sync"
	b := []byte("SEQ\x06")
	b = append(b, text("org.apache.hadoop.io.Text")...)
	b = append(b, text("org.apache.hadoop.io.BytesWritable")...)
	b = append(append(b, 0, 0, 0, 0, 0, 0), sync...)
	for i, s := range part {
		if i%5 == 4 {
			b = append(append(b, 0xff, 0xff, 0xff, 0xff), sync...)
		}
		key := text(s.name)
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)+4+len(s.bytes)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
		b = append(b, key...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(s.bytes)))
		b = append(b, s.bytes...)
	}
	return b
}

// side is one way to read the images.
type side struct {
	images  int
	open    func(ctx context.Context) (datasets.Source, error)
	readers int // as many as are fastest
}

func newSide(ctx context.Context, cluster *hdfstest.Cluster, images int, root string, of func(files.Tree) (datasets.Source, error)) (*side, error) {
	s := &side{images: images, open: func(ctx context.Context) (datasets.Source, error) {
		c := webhdfs.Config{Root: root}
		c.Client.Authority = cluster.NameNodeHTTP(0)
		tree, err := webhdfs.New(ctx, c)
		if err != nil {
			return nil, err
		}
		return of(tree)
	}}
	best := 0.0
	for _, readers := range []int{2, 4, 8, 16} {
		rate, err := s.round(ctx, readers)
		if err != nil {
			return nil, err
		}
		if rate > best {
			best, s.readers = rate, readers
		}
	}
	return s, nil
}

// round reads all images and returns how many a second.
func (s *side) round(ctx context.Context, readers int) (perSecond float64, err error) {
	src, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, datasets.Close(src)) }()
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	listed := make(chan datasets.Example, readers)
	group.Go(func() error {
		defer close(listed)
		n := 0
		for e, err := range src.Examples(ctx) {
			if err != nil {
				return err
			}
			select {
			case listed <- e:
				n++
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n != s.images {
			return fmt.Errorf("%s lists %d images of %d", src.URI(), n, s.images)
		}
		return nil
	})
	for range readers {
		group.Go(func() error {
			b := make([]byte, imageBytes+1)
			for e := range listed {
				if err := read(ctx, e, b); err != nil {
					return fmt.Errorf("%s: %w", e.Key, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(s.images) / time.Since(begin).Seconds(), nil
}

func read(ctx context.Context, e datasets.Example, b []byte) (err error) {
	r, err := e.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if n, err := io.ReadFull(r, b); n != imageBytes || !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	return nil
}
