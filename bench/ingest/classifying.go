package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/bench/served"
	"tkit/internal/hdfs/hdfstest"
)

// requests is the number of requests at a time, as many as a pipeline has images in
// its processors.
const requests = 16

// passes is how often the photographs are written before HDFS is measured: a server that
// has just started is slower than one that runs for days, because Java compiles its code.
const passes = 5

// classifying compares a pipeline into HDFS with requests to a server.
func classifying(ctx context.Context, dir string, images, rounds int) (_ measure.Row, err error) {
	encoded, err := photographs.Images(2, images/2)
	if err != nil {
		return measure.Row{}, err
	}
	in := filepath.Join(dir, "photographs")
	if err := os.Mkdir(in, 0o700); err != nil {
		return measure.Row{}, err
	}
	for i, one := range encoded {
		if err := os.WriteFile(filepath.Join(in, fmt.Sprintf("%d.jpg", i)), one, 0o600); err != nil {
			return measure.Row{}, err
		}
	}
	cluster, err := hdfstest.Start(hdfstest.Config{DataNodes: 1})
	if err != nil {
		return measure.Row{}, err
	}
	defer cluster.Stop()
	model, err := served.New(ctx)
	if err != nil {
		return measure.Row{}, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	server, err := served.Start(ctx, model.Home, requests)
	if err != nil {
		return measure.Row{}, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	into := func(name string) string { return fmt.Sprintf("hdfs://%s/%s", cluster.NameNode(0), name) }
	for pass := range passes {
		if _, _, err := stream(ctx, model.Home, dir, pipelineText(in, "", into(fmt.Sprintf("pass-%d", pass))), len(encoded)); err != nil {
			return measure.Row{}, err
		}
	}
	round := 0
	var piped, asked time.Duration
	pipeline, alone, ratio, err := measure.Interleave(rounds,
		func() (float64, error) {
			round++
			text := pipelineText(in, fmt.Sprintf("{tkit_classify: {models: [%s]}}", served.Name), into(fmt.Sprintf("round-%d", round)))
			rate, processor, err := stream(ctx, model.Home, dir, text, len(encoded))
			piped += processor
			return rate, err
		},
		func() (float64, error) {
			before := processorTime()
			rate, err := ask(ctx, server, encoded)
			asked += (processorTime() - before) / time.Duration(len(encoded))
			return rate, err
		})
	return measure.Row{
		What: "images a second from a folder through ResNet-50 into HDFS", Against: ":classify-image alone, 16 at a time",
		Measured: pipeline, Reference: alone, Ratio: ratio, Target: 0.9,
		Note: fmt.Sprintf("this process needs %.1f ms of a processor for an image, and %.1f ms for a request; HDFS runs on the same cores",
			piped.Seconds()*1000/float64(max(1, round)), asked.Seconds()*1000/float64(max(1, round))),
	}, err
}

// pipelineText is the text of a pipeline from a folder into a folder of HDFS.
func pipelineText(in, processor, out string) string {
	return fmt.Sprintf("name: photographs\ninput: {tkit_directory: {path: %q, settle: 1ms}}\npipeline: {processors: [%s]}\noutput: {tkit_hdfs: {path: %q}}\n", in, processor, out)
}

// stream runs a pipeline. Its model is loaded before the first image is read, as that of
// the server is.
func stream(ctx context.Context, home, dir, text string, images int) (rate float64, processor time.Duration, err error) {
	p, err := newPipeline(ctx, home, dir, text)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.forget(); err != nil {
		return 0, 0, err
	}
	rate, err = p.run(ctx, images)
	return rate, p.processor, err
}

// ask sends each image to a server once.
func ask(ctx context.Context, s *served.Server, encoded [][]byte) (float64, error) {
	begun := time.Now()
	var next atomic.Int64
	errs := make([]error, requests)
	var running sync.WaitGroup
	for w := range requests {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(encoded)) && errs[w] == nil; i = next.Add(1) - 1 {
				_, errs[w] = s.Ask(ctx, served.Name, encoded[i])
			}
		})
	}
	running.Wait()
	return float64(len(encoded)) / time.Since(begun).Seconds(), errors.Join(errs...)
}
