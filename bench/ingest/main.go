// Ingest measures pipelines. The overhead is that of a pipeline without a model: files
// of 20 KB of random bytes from a folder into a folder of the same disk, each with its
// record, durable before it counts. The same files are then only copied and synced, one
// write of the file system for 64 files. ResNet-50 is compared with requests to a server
// in this process, 16 at a time: the pipeline reads photographs from a folder,
// classifies them in its process and writes them into a real HDFS of one DataNode on
// this machine, into which they were written five times before. The consumer group is
// three processes that read one topic of a real Kafka, each with one thread that sleeps
// for 5 ms instead of classifying, into one folder; their throughput is that from when
// each has images. The memory is what a process adds to that which it has when it is
// idle, while its pipeline finds a million files, until a thousand are delivered.
//
//	go run ./bench/ingest
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"tkit/bench/measure"
)

func main() {
	files := flag.Int("files", 20_000, "files without a model")
	photographs := flag.Int("photographs", 600, "photographs to classify")
	queued := flag.Int("queued", 1_000_000, "files in the folder whose memory is measured")
	rounds := flag.Int("rounds", 3, "rounds of each comparison")
	span := flag.Duration("span", 10*time.Second, "time for which a consumer group is measured")
	only := flag.String("only", "", "one `MEASUREMENT`: overhead, resnet50, group or memory")
	member := flag.String("member", "", "only run the pipeline `FILE`, and print how many images are delivered")
	child := flag.String("child", "", "only run the pipeline in `FOLDER`, and print the memory")
	flag.Parse()
	ctx := context.Background()
	var err error
	switch {
	case *child != "":
		err = queue(ctx, *child)
	case *member != "":
		err = runMember(ctx, *member)
	default:
		err = bench(*only, []measurement{
			{"overhead", func(dir string) (measure.Row, error) { return copying(ctx, dir, *files, *rounds) }},
			{"resnet50", func(dir string) (measure.Row, error) { return classifying(ctx, dir, *photographs, *rounds) }},
			{"group", func(dir string) (measure.Row, error) { return sharing(ctx, dir, *span, *rounds) }},
			{"memory", func(dir string) (measure.Row, error) { return queueing(ctx, dir, *queued) }},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

// A measurement makes a row of the table with the files of a folder.
type measurement struct {
	name string
	row  func(dir string) (measure.Row, error)
}

// bench makes all measurements, or one.
func bench(only string, all []measurement) (err error) {
	dir, err := os.MkdirTemp("", "bench-ingest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var rows []measure.Row
	for _, m := range all {
		if only != "" && only != m.name {
			continue
		}
		row, err := m.row(dir)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return fmt.Errorf("there is no measurement %q", only)
	}
	return measure.Print(rows...)
}
