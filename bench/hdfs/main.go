// Hdfs reads 3,000 images of 20 KB from a real HDFS of one NameNode and three
// DataNodes by tkit's hdfs:// source, in turn with Hadoop's own Java client in a
// process that is warm: listed, opened and read whole by as many readers as are
// fastest on each side. Then it takes photographs to the bottlenecks of
// ResNet-50 as training does, from HDFS in turn with the same files on this
// machine's disk: listed, read and compared with a snapshot that was taken
// before. The ratios are medians over rounds.
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
	images := flag.Int("images", 3000, "images of 20 KB, or 0 to leave them out")
	photographs := flag.Int("photographs", 200, "photographs in a round, a multiple of 5, or 0 to leave them out")
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
