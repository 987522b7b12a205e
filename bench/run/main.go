// Run builds and runs the benchmark programs one after the other, prints their
// rows in one table, and writes them to bench/RESULTS.md on request.
//
//	go run ./bench/run [--record] [NAME | 'NAME FLAG...']...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"tkit/bench/fixtures"
	"tkit/bench/measure"
)

// programs lists all programs, in the order of the table.
var programs = []string{"network", "bottlenecks", "head", "finetune", "solarcells", "serve", "plugins", "datasets", "hdfs", "lookalikes", "policy", "ingest", "leak"}

func main() {
	recorded := flag.Bool("record", false, "replace the sections of the programs in bench/RESULTS.md")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: scripts/bench [--record] [NAME | 'NAME FLAG...']...\nprograms: %s\n", strings.Join(programs, " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *recorded, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, recorded bool, asked []string) error {
	root, err := fixtures.Root()
	if err != nil {
		return err
	}
	if len(asked) == 0 {
		asked = programs
	}
	var rows []measure.Row
	var failed []error
	for _, words := range asked {
		name, flags := strings.Fields(words)[0], strings.Fields(words)[1:]
		if !slices.Contains(programs, name) {
			return fmt.Errorf("%q is not a benchmark: choose from %s", name, strings.Join(programs, ", "))
		}
		if recorded && len(flags) > 0 {
			return fmt.Errorf("%q: runs with flags are not recorded", words)
		}
	}
	ran := make(map[string]result)
	for _, words := range asked {
		fields := strings.Fields(words)
		p := program{root: root, name: fields[0], flags: fields[1:]}
		r, err := p.run(ctx)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
			fmt.Fprintf(os.Stderr, "bench/%s failed: %v\n", p.name, err)
		}
		rows = append(rows, r.Rows...)
		fmt.Fprintf(os.Stderr, "bench/%s: %d rows in %v\n", p.name, len(r.Rows), r.Took.Round(time.Second))
		if err := ctx.Err(); err != nil {
			failed = append(failed, err)
			break
		}
		if !r.Begun.IsZero() { // it was built
			ran[p.name] = r
		}
	}
	if err := measure.Table(os.Stdout, rows...); err != nil {
		return err
	}
	if recorded {
		failed = append(failed, record(root, ran))
	}
	return errors.Join(failed...)
}
