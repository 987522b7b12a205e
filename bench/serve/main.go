// Command serve sends JPEG files to a server over HTTP, alternating with the
// same work without a server: the server's throughput under full load relative
// to that of the trunk alone, the overhead of a single request on top of
// decoding and the networks, and whether the first response after the server is
// ready is as fast as later ones.
//
//	go run ./bench/serve
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"tkit/bench/measure"
	"tkit/bench/photographs"
	"tkit/bench/served"
)

type options struct {
	rounds, seconds int
	images          int
	maxBatch        int
	loopBatch       int
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "counted rounds")
	flag.IntVar(&o.seconds, "seconds", 6, "length of each turn")
	flag.IntVar(&o.images, "images", 128, "photographs to classify")
	flag.IntVar(&o.maxBatch, "max-batch", 8, "the server's maximal batch size")
	flag.IntVar(&o.loopBatch, "loop-batch", 8, "batch size of the loop without a server")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	images, err := photographs.Images(1, o.images)
	if err != nil {
		return err
	}
	m, err := served.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	bare, err := openBare(ctx, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	s, err := served.Start(ctx, m.Home, o.maxBatch)
	if err != nil {
		return err
	}
	var rows []measure.Row
	for _, clients := range []int{8, 32} {
		row, err := saturation(ctx, s, bare, images, clients, o)
		if err != nil {
			return errors.Join(err, s.Stop())
		}
		rows = append(rows, row)
	}
	lone, err := overhead(ctx, s, bare, images, o)
	if err := errors.Join(err, s.Stop()); err != nil {
		return err
	}
	rows = append(rows, lone...)
	row, err := firstAnswer(ctx, m, images, o)
	if err != nil {
		return err
	}
	return measure.Print(append(rows, row)...)
}

// saturation compares the throughput with clients that send requests without
// pause to that of the loop without a server.
func saturation(ctx context.Context, s *served.Server, bare *bare, images [][]byte, clients int, o options) (measure.Row, error) {
	turn := time.Duration(o.seconds) * time.Second
	served, loop, ratio, err := measure.Interleave(o.rounds,
		func() (float64, error) { return s.Flood(ctx, served.Name, images, clients, turn) },
		func() (float64, error) { return bare.loop(ctx, o.loopBatch, turn) })
	return measure.Row{
		What: fmt.Sprintf("classify-image, %d clients, ResNet-50 fp32", clients), Against: "a loop of the same trunk on decoded batches",
		Measured: served, Reference: loop, Unit: "images/s", Ratio: ratio, Target: 0.90,
		Note: fmt.Sprintf("batches of at most %d; the loop's of %d; clients on the same %d cores", o.maxBatch, o.loopBatch, runtime.NumCPU()),
	}, err
}

// overhead measures what HTTP, batching and everything else add to decoding and
// the two networks for a single client: the waiting time beyond the time of
// these parts in the same request. The same work done without a server,
// alternating, shows that they are not slower in the server; since two copies
// of one network differ by a hundredth themselves, that row is less precise.
func overhead(ctx context.Context, s *served.Server, bare *bare, images [][]byte, o options) ([]measure.Row, error) {
	var asked, worked, added, direct, ratios []float64
	for i := range 40 * (o.rounds + 1) {
		image := images[i%len(images)]
		alone, err := bare.once(ctx, image)
		if err != nil {
			return nil, err
		}
		answer, err := s.Ask(ctx, served.Name, image)
		if err != nil {
			return nil, err
		}
		whole, work := answer.Whole, answer.Work()
		if i < 40 { // not counted
			continue
		}
		asked, worked, added = append(asked, ms(whole)), append(worked, ms(work)), append(added, ms(whole-work))
		direct, ratios = append(direct, ms(alone)), append(ratios, ms(alone)/ms(whole))
	}
	const what = "classify-image, 1 client, ResNet-50 fp32"
	return []measure.Row{{
		What: what, Against: "its decoding and session runs",
		Measured: measure.Median(asked), Reference: measure.Median(worked), Unit: "ms",
		Ratio: measure.Median(added), Target: 1, AtMost: true, Note: "the ratio is the added time in ms, median",
	}, {
		What: what, Against: "the same work without a server, alternating",
		Measured: measure.Median(asked), Reference: measure.Median(direct), Unit: "ms",
		Ratio: measure.Median(ratios), Target: 0.95, Note: "relative speed, median of pairs",
	}}, nil
}

// firstAnswer compares the first response after ready with the median of later
// ones, of newly started servers.
func firstAnswer(ctx context.Context, m *served.Model, images [][]byte, o options) (measure.Row, error) {
	var firsts, laters, ratios []float64
	for range o.rounds {
		s, err := served.Start(ctx, m.Home, o.maxBatch)
		if err != nil {
			return measure.Row{}, err
		}
		var took []float64
		for i := range 16 {
			a, err := s.Ask(ctx, served.Name, images[i])
			if err != nil {
				return measure.Row{}, errors.Join(err, s.Stop())
			}
			took = append(took, ms(a.Whole))
		}
		if err := s.Stop(); err != nil {
			return measure.Row{}, err
		}
		later := measure.Median(slices.Clone(took[1:]))
		firsts, laters, ratios = append(firsts, took[0]), append(laters, later), append(ratios, took[0]/later)
	}
	return measure.Row{
		What: "first response after ready, ResNet-50 fp32", Against: "later ones",
		Measured: measure.Median(firsts), Reference: measure.Median(laters), Unit: "ms",
		Ratio: measure.Median(ratios), Target: 1.5, AtMost: true, Note: fmt.Sprintf("%d starts", o.rounds),
	}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
