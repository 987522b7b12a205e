package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tkit/bench/keras"
	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/bench/trunk"
	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/inference"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/pipeline"
	"tkit/internal/preprocessing"
)

const classes = 5 // of the photographs

// bottlenecks computes the bottlenecks of photographs from HDFS and from a
// folder, alternating.
func bottlenecks(ctx context.Context, cluster *hdfstest.Cluster, perClass, rounds int) (_ measure.Row, err error) {
	folder, err := photographs.Folder(classes, perClass)
	if err != nil {
		return measure.Row{}, err
	}
	if err := upload(ctx, cluster, folder, "/photographs"); err != nil {
		return measure.Row{}, err
	}
	t, err := openTrunk(ctx)
	if err != nil {
		return measure.Row{}, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	there, err := newSide(ctx, t, cluster.URI()+"/photographs")
	if err != nil {
		return measure.Row{}, err
	}
	defer func() { err = errors.Join(err, datasets.Close(there.source)) }()
	here, err := newSide(ctx, t, folder)
	if err != nil {
		return measure.Row{}, err
	}
	if there.snapshot.Digest != here.snapshot.Digest {
		return measure.Row{}, errors.New("the photographs in HDFS differ from those in the folder")
	}
	a, b, ratio, err := measure.Interleave(rounds,
		func() (float64, error) { return there.round(ctx) },
		func() (float64, error) { return here.round(ctx) })
	return measure.Row{
		What: "bottlenecks from JPEG files in HDFS, ResNet-50 fp32", Against: "the same files on this machine's disk",
		Measured: a, Reference: b, Unit: "images/s", Ratio: ratio, Target: 0.97,
		Note: fmt.Sprintf("%d images, NameNode and DataNodes on the same cores", classes*perClass),
	}, err
}

// upload copies a folder of class folders.
func upload(ctx context.Context, cluster *hdfstest.Cluster, folder, to string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*", "*.jpg"))
	if err != nil {
		return err
	}
	stored := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		stored[to+"/"+filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file)] = b
	}
	return cluster.Put(ctx, stored)
}

// network is ResNet-50's trunk with its preprocessing.
type network struct {
	pipeline *pipeline.Pipeline
	trunk    *inference.Trunk
	parallel int
}

func openTrunk(ctx context.Context) (_ *network, err error) {
	base, err := keras.ResNet50(ctx)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "bench-hdfs-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	path, err := trunk.Write(ctx, base.SavedModel, work)
	if err != nil {
		return nil, err
	}
	n := new(network)
	config, parallel := inference.Throughput()
	n.parallel = parallel
	if n.trunk, err = inference.OpenTrunk(path, inference.TrunkOptions{Session: config}); err != nil {
		return nil, err
	}
	if n.pipeline, err = pipeline.Compile(preprocessing.ForMode(preprocessing.Caffe, 224, 224, 3)); err != nil {
		return nil, errors.Join(err, n.trunk.Close())
	}
	return n, nil
}

func (n *network) close() error {
	n.pipeline.Close()
	return n.trunk.Close()
}

// side is a dataset with its snapshot.
type side struct {
	*network
	source   datasets.Source
	snapshot *datasets.Snapshot
}

func newSide(ctx context.Context, n *network, uri string) (*side, error) {
	src, err := all.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	snapshot, _, err := datasets.TakeSnapshot(ctx, src, datasets.SnapshotOptions{AllOrNothing: true})
	if err != nil {
		return nil, errors.Join(err, datasets.Close(src))
	}
	return &side{n, src, snapshot}, nil
}

// round lists the dataset, reads its images, comparing each with the snapshot,
// runs the trunk on them and returns images/s.
func (s *side) round(ctx context.Context) (float64, error) {
	begun := time.Now()
	var listing error
	items := func(yield func(inference.Item) bool) {
		for m, err := range s.snapshot.Match(ctx, s.source) {
			if err != nil {
				listing = err
				return
			}
			read := func(ctx context.Context) ([]byte, error) { return datasets.ReadVerified(ctx, m.Example, m.Entry) }
			if !yield(inference.Item{Key: m.Entry.Key, Read: read}) {
				return
			}
		}
	}
	stream := inference.Stream{Pipeline: s.pipeline, Trunk: s.trunk, Parallel: s.parallel}
	done := 0
	err := stream.Run(ctx, items, func(_ int, item inference.Item, _ []float32, err error) error {
		done++
		return err
	})
	if err = errors.Join(err, listing); err == nil && done != len(s.snapshot.Entries) {
		err = fmt.Errorf("%d images of %d", done, len(s.snapshot.Entries))
	}
	return float64(done) / time.Since(begun).Seconds(), err
}
