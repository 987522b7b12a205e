// Datasets reads 4,000 images of 20 KB from a real HDFS of one NameNode and
// three DataNodes, as single files and, in turn with that, from tar shards and
// from SequenceFiles of the same images: listed, opened and read whole by as
// many readers as are fastest on each side, over WebHDFS and by Hadoop's own
// protocol. The ratios are medians over rounds. Beside it, it takes the snapshot of a million images that are
// made as they are asked for, compares their looks, splits it, writes it and
// reads it again, in a process of its own, and reports the largest resident set of that.
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
	entries := flag.Int("entries", 1_000_000, "entries of the snapshot, or 0 to leave it out")
	child := flag.Bool("snapshot", false, "only take the snapshot, and print the largest resident set")
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
