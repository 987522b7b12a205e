// Leak runs a network 10,000 times and loads and unloads it 200 times, and
// prints the resident memory along the way: it must not grow after the first
// cycles.
//
//	go run ./bench/leak
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tkit/bench/measure"
	"tkit/internal/tensorflow"
)

func main() {
	runs := flag.Int("runs", 10_000, "runs of a loaded network")
	cycles := flag.Int("cycles", 200, "loads and unloads of the network")
	flag.Parse()
	rows, err := bench(*runs, *cycles)
	if err == nil {
		err = measure.Print(rows...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(1)
	}
}

func bench(runs, cycles int) ([]measure.Row, error) {
	running, err := repeat(runs)
	if err != nil {
		return nil, err
	}
	loading, err := reload(cycles)
	if err != nil {
		return nil, err
	}
	if os.Getenv("BENCH_JSON") == "" {
		running.print("runs")
		loading.print("load and unload cycles")
	}
	return []measure.Row{running.row("runs"), loading.row("load and unload cycles")}, nil
}

// repeat runs one loaded network n times, in all ways that callers use: without
// a context, with one, and with one that ends during the run.
func repeat(n int) (*curve, error) {
	net, err := load()
	if err != nil {
		return nil, err
	}
	defer net.close()
	c := newCurve(n)
	for i := range n {
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		switch i % 10 {
		case 0:
			ctx, cancel = context.WithTimeout(ctx, 200*time.Microsecond)
		case 1, 2, 3, 4:
			ctx, cancel = context.WithTimeout(ctx, time.Minute)
		}
		err := net.run(ctx)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		if err := c.sample(i + 1); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// reload loads, runs and unloads the network n times.
func reload(n int) (*curve, error) {
	c := newCurve(n)
	for i := range n {
		net, err := load()
		if err != nil {
			return nil, err
		}
		err = net.run(context.Background())
		if err := errors.Join(err, net.close()); err != nil {
			return nil, err
		}
		if err := c.sample(i + 1); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// curve is the resident memory over the twenty parts of a series: the minimum
// of each, since TensorFlow's threads may still hold a tensor when a run
// returns.
type curve struct {
	every int
	least float64
	at    []int
	rss   []float64 // MB
}

func newCurve(n int) *curve { return &curve{every: max(1, n/20), least: math.Inf(1)} }

func (c *curve) sample(i int) error {
	mb, err := resident()
	c.least = min(c.least, mb)
	if i%c.every == 0 {
		c.at, c.rss = append(c.at, i), append(c.rss, c.least)
		c.least = math.Inf(1)
	}
	return err
}

// settled returns the part of the curve that has to be flat: all but the first
// quarter, in which pools and arenas fill up.
func (c *curve) settled() ([]int, []float64) { return c.at[len(c.at)/4:], c.rss[len(c.rss)/4:] }

// slope returns the least-squares growth in kB for each repetition.
func (c *curve) slope() float64 {
	at, rss := c.settled()
	var x, y, xx, xy float64
	n := float64(len(at))
	for i := range at {
		x += float64(at[i])
		y += rss[i]
	}
	x, y = x/n, y/n
	for i := range at {
		xx += (float64(at[i]) - x) * (float64(at[i]) - x)
		xy += (float64(at[i]) - x) * (rss[i] - y)
	}
	return xy / xx * 1024
}

func (c *curve) print(what string) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tresident MB\t\n", what)
	for i := range c.at {
		fmt.Fprintf(w, "%d\t%.1f\t\n", c.at[i], c.rss[i])
	}
	w.Flush()
	fmt.Printf("slope after the first quarter: %+.3f kB each\n\n", c.slope())
}

func (c *curve) row(what string) measure.Row {
	at, rss := c.settled()
	half := len(rss) / 2
	first, second := measure.Median(rss[:half]), measure.Median(rss[half:])
	return measure.Row{
		What: fmt.Sprintf("resident memory over %d %s", c.at[len(c.at)-1], what), Against: "the first half, warmed up",
		Measured: second, Reference: first, Unit: "MB", Ratio: second / first, Target: 1.02, AtMost: true,
		Note: fmt.Sprintf("%+.3f kB each over %d", c.slope(), at[len(at)-1]-at[0]),
	}
}

// resident returns the process's resident memory in MB.
func resident() (float64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm reads %q", b)
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages) * float64(os.Getpagesize()) / (1 << 20), err
}

// loaded is a small network in a session: a convolution with a ReLU, a mean and
// a dense layer of 8 MB, with variables as weights.
type loaded struct {
	session *tensorflow.Session
	step    *tensorflow.Step
}

func load() (*loaded, error) {
	graph, err := tensorflow.ImportGraph(network())
	if err != nil {
		return nil, err
	}
	defer graph.Close()
	session, err := tensorflow.NewSession(graph, tensorflow.Config{})
	if err != nil {
		return nil, err
	}
	for _, w := range weights {
		if err := assign(session, w); err != nil {
			return nil, errors.Join(err, session.Close())
		}
	}
	step, err := session.Step([]string{"images"}, []string{"logits"}, nil)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return &loaded{session, step}, nil
}

func assign(s *tensorflow.Session, w weight) error {
	value, err := tensorflow.NewTensor(tensorflow.Float32, w.shape...)
	if err != nil {
		return err
	}
	defer value.Close()
	for i, v := 0, value.Float32(); i < len(v); i++ {
		v[i] = float32(i%7) / 700
	}
	step, err := s.Step([]string{w.name + "/value"}, nil, []string{w.name + "/assign"})
	if err != nil {
		return err
	}
	_, err = step.Run(context.Background(), value)
	return err
}

func (l *loaded) run(ctx context.Context) error {
	images, err := tensorflow.NewTensor(tensorflow.Float32, 4, 32, 32, 3)
	if err != nil {
		return err
	}
	defer images.Close()
	clear(images.Float32())
	out, err := l.step.Run(ctx, images)
	for _, t := range out {
		t.Close()
	}
	return err
}

func (l *loaded) close() error { return l.session.Close() }
