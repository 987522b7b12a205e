// Command serve asks a server about JPEG files over HTTP, in turn with the bare
// work: how much of the trunk's own throughput is served when there is more to
// do than the machine can, what a lone request pays on top of decoding and the
// networks, and whether the first answer after ready is as fast as later ones.
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
	flag.IntVar(&o.images, "images", 128, "photographs to ask about")
	flag.IntVar(&o.maxBatch, "max-batch", 8, "the server's largest batch")
	flag.IntVar(&o.loopBatch, "loop-batch", 8, "batch of the bare loop")
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

// saturation is the throughput with clients that ask without pause, against
// the bare loop's.
func saturation(ctx context.Context, s *served.Server, bare *bare, images [][]byte, clients int, o options) (measure.Row, error) {
	turn := time.Duration(o.seconds) * time.Second
	served, loop, ratio, err := measure.Interleave(o.rounds,
		func() (float64, error) { return s.Flood(ctx, served.Name, images, clients, turn) },
		func() (float64, error) { return bare.loop(ctx, o.loopBatch, turn) })
	return measure.Row{
		What: fmt.Sprintf("classify-image, %d clients, ResNet-50 fp32", clients), Against: "the loop of the same trunk on decoded batches",
		Measured: served, Reference: loop, Unit: "images/s", Ratio: ratio, Target: 0.90,
		Note: fmt.Sprintf("batches of at most %d; the loop's of %d; clients on the same %d cores", o.maxBatch, o.loopBatch, runtime.NumCPU()),
	}, err
}

// overhead is what HTTP, batching and everything else add to the decoding and
// the two networks for a client that is alone: what it waits beyond the time
// that these took in its own request. The same work done bare in turn with it
// shows that they take no longer in the server; two copies of one network
// differ by a hundredth themselves, so that row is the coarser one.
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
		Ratio: measure.Median(added), Target: 1, AtMost: true, Note: "the ratio is what is added in ms, median",
	}, {
		What: what, Against: "the same work without a server, in turn",
		Measured: measure.Median(asked), Reference: measure.Median(direct), Unit: "ms",
		Ratio: measure.Median(ratios), Target: 0.95, Note: "how fast beside it, median of pairs",
	}}, nil
}

// firstAnswer compares the first answer after ready with the median of later
// ones, of servers started anew.
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
		What: "first answer after ready, ResNet-50 fp32", Against: "later ones",
		Measured: measure.Median(firsts), Reference: measure.Median(laters), Unit: "ms",
		Ratio: measure.Median(ratios), Target: 1.5, AtMost: true, Note: fmt.Sprintf("%d starts", o.rounds),
	}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
