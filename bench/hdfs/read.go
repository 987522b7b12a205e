package main

import (
	"context"
	"errors"
	"fmt"

	"tkit/bench/measure"
	"tkit/bench/reading"
	"tkit/datasets"
	"tkit/datasets/all"
	"tkit/internal/hdfs/hdfstest"
)

// read stores the images and reads them alternating with Hadoop's own client.
func read(ctx context.Context, cluster *hdfstest.Cluster, images, rounds int) (_ measure.Row, err error) {
	stored := map[string][]byte{}
	for _, image := range reading.Draw(images) {
		stored["/read/"+image.Name] = image.Bytes
	}
	if err := cluster.Put(ctx, stored); err != nil {
		return measure.Row{}, err
	}
	ours := reading.Side{Images: images, Open: func(ctx context.Context) (datasets.Source, error) {
		return all.Open(ctx, cluster.URI()+"/read")
	}}
	theirs, err := newJavaClient(ctx, cluster, "/read", images, reading.ImageBytes)
	if err != nil {
		return measure.Row{}, err
	}
	defer func() { err = errors.Join(err, theirs.close()) }()
	// The Java virtual machine needs some rounds to warm up.
	for range 2 {
		if _, err := theirs.round(8); err != nil {
			return measure.Row{}, err
		}
	}
	ourReaders, err := reading.Fastest(func(n int) (float64, error) { return ours.Round(ctx, n) })
	if err != nil {
		return measure.Row{}, err
	}
	theirReaders, err := reading.Fastest(theirs.round)
	if err != nil {
		return measure.Row{}, err
	}
	a, b, ratio, err := measure.Interleave(rounds,
		func() (float64, error) { return ours.Round(ctx, ourReaders) },
		func() (float64, error) { return theirs.round(theirReaders) })
	return measure.Row{
		What: "images of 20 KB from HDFS", Against: "Hadoop's Java client, same files",
		Measured: a, Reference: b, Unit: "images/s", Ratio: ratio, Target: 0.9,
		Note: fmt.Sprintf("%d readers, and %d threads in Java", ourReaders, theirReaders),
	}, err
}
