// Ingest measures pipelines. The overhead is that of a pipeline without a model: files
// of 20 KB of random bytes from a folder into a folder of the same disk, each with its
// record, durable before it counts. The same files are then only copied and synced, one
// write of the file system for 64 files. ResNet-50 is compared with requests to a server
// in this process, 16 at a time: the pipeline reads photographs from a folder,
// classifies them in its process and writes them into a real HDFS of one DataNode on
// this machine. The memory is what a process adds to that which it has when it is idle,
// while its pipeline finds a million files, until a thousand are delivered.
//
//	go run ./bench/ingest
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"tkit/bench/measure"
)

func main() {
	files := flag.Int("files", 20_000, "files without a model")
	photographs := flag.Int("photographs", 120, "photographs to classify")
	queued := flag.Int("queued", 1_000_000, "files in the folder whose memory is measured")
	rounds := flag.Int("rounds", 3, "rounds of each comparison")
	child := flag.String("child", "", "only run the pipeline in `FOLDER`, and print the memory")
	flag.Parse()
	ctx := context.Background()
	var err error
	if *child != "" {
		err = queue(ctx, *child)
	} else {
		err = bench(ctx, *files, *photographs, *queued, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, files, photographs, queued, rounds int) (err error) {
	dir, err := os.MkdirTemp("", "bench-ingest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overhead, err := copying(ctx, dir, files, rounds)
	if err != nil {
		return err
	}
	classified, err := classifying(ctx, dir, photographs, rounds)
	if err != nil {
		return err
	}
	memory, err := queueing(ctx, dir, queued)
	if err != nil {
		return err
	}
	return measure.Print(overhead, classified, memory)
}
