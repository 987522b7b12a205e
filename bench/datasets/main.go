// Datasets reads 4,000 images of 20 KB from a real HDFS with one NameNode and
// three DataNodes, as single files and, alternating with that, from tar shards
// and from SequenceFiles with the same images: listed, opened and read
// completely, with the fastest number of readers for each side, over WebHDFS
// and by Hadoop's native protocol. The ratios are medians over rounds. In a
// separate process, it also takes the snapshot of a million generated images,
// compares their fingerprints, splits the snapshot, writes it and reads it
// again, and reports the largest resident memory.
//
//	go run ./bench/datasets
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tkit/bench/measure"
)

func main() {
	images := flag.Int("images", 4000, "images to read")
	rounds := flag.Int("rounds", 5, "rounds of both sides, and half as many over WebHDFS")
	entries := flag.Int("entries", 1_000_000, "entries of the snapshot, or 0 to skip it")
	child := flag.Bool("snapshot", false, "only take the snapshot, and print the largest resident memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, *child, *images, *rounds, *entries); err != nil {
		fmt.Fprintln(os.Stderr, "datasets:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, child bool, images, rounds, entries int) error {
	if child {
		return snapshot(ctx, entries)
	}
	rows, err := compare(ctx, images, rounds)
	if err != nil {
		return err
	}
	if entries == 0 {
		return measure.Print(rows...)
	}
	row, err := resident(ctx, entries)
	if err != nil {
		return err
	}
	return measure.Print(append(rows, row)...)
}
