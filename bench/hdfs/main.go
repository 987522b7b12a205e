// Hdfs reads 3,000 images of 20 KB from a real HDFS with one NameNode and three
// DataNodes by tkit's hdfs:// source, alternating with Hadoop's own Java client
// in a warmed-up process: listed, opened and read completely, with the fastest
// number of readers for each side. Then it computes the bottlenecks of
// ResNet-50 from photographs as training does, from HDFS alternating with the
// same files on this machine's disk: listed, read and compared with a snapshot
// taken before. The ratios are medians over rounds.
//
//	go run ./bench/hdfs
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tkit/bench/measure"
	"tkit/internal/hdfs/hdfstest"
)

func main() {
	images := flag.Int("images", 3000, "images of 20 KB, or 0 to skip them")
	photographs := flag.Int("photographs", 200, "photographs in a round, a multiple of 5, or 0 to skip them")
	rounds := flag.Int("rounds", 5, "rounds of reading, of both sides")
	passes := flag.Int("passes", 5, "rounds of photographs, of both sides")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, *images, *photographs/classes, *rounds, *passes); err != nil {
		fmt.Fprintln(os.Stderr, "bench/hdfs:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, images, perClass, rounds, passes int) error {
	cluster, err := hdfstest.Start(hdfstest.Config{})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	var rows []measure.Row
	if images > 0 {
		row, err := read(ctx, cluster, images, rounds)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if perClass > 0 {
		row, err := bottlenecks(ctx, cluster, perClass, passes)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return measure.Print(rows...)
}
