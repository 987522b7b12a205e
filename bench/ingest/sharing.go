package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/bench/measure"
	"tkit/ingest"
	"tkit/ingest/components"
	"tkit/ingest/kafkatest"
)

const (
	partitions = 12
	perSecond  = 200 // images of one process at most: the sleep is 5 ms
	recordSize = 2000
	warmUp     = 20 * time.Second // at most, until each process has images
	tellEvery  = 50 * time.Millisecond
)

// shared is a pipeline whose model is a sleep, for one image after the other.
const shared = `name: shared
input: {tkit_kafka: {brokers: [%q], topics: [%q], group: %[2]q}}
pipeline: {threads: 1, processors: [{sleep: {duration: 5ms}}]}
output: {tkit_folder: {path: %q}}
`

// sharing compares three processes of a consumer group with one.
func sharing(ctx context.Context, dir string, span time.Duration, rounds int) (_ measure.Row, err error) {
	broker, err := kafkatest.Start()
	if err != nil {
		return measure.Row{}, err
	}
	defer broker.Stop()
	round := 0
	many, one, ratio, err := measure.Interleave(rounds,
		func() (float64, error) {
			round++
			return group(ctx, broker, filepath.Join(dir, fmt.Sprint("three-", round)), 3, span)
		},
		func() (float64, error) {
			return group(ctx, broker, filepath.Join(dir, fmt.Sprint("one-", round)), 1, span)
		})
	return measure.Row{
		What: "images a second by 3 processes of a consumer group, a sleep of 5 ms as the model", Against: "by 1 process",
		Measured: many, Reference: one, Ratio: ratio, Target: 2.8,
	}, err
}

// group returns the images a second that some processes deliver together, from when each
// has delivered some.
func group(ctx context.Context, b *kafkatest.Broker, dir string, processes int, span time.Duration) (_ float64, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	topic := filepath.Base(dir)
	if err := fillTopic(ctx, b, topic, int((span+warmUp).Seconds())*processes*perSecond); err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "pipeline.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, shared, b.Address(), topic, filepath.Join(dir, "out")), 0o600); err != nil {
		return 0, err
	}
	members := make([]*member, processes)
	for i := range members {
		if members[i], err = startMember(ctx, file); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, members[i].stop()) }()
	}
	for _, m := range members {
		for m.delivered.Load() == 0 {
			select {
			case <-m.ended:
				return 0, errors.New("a process of the group has ended")
			case <-time.After(tellEvery):
			}
		}
	}
	count := func() (n int64) {
		for _, m := range members {
			n += m.delivered.Load()
		}
		return n
	}
	before, begun := count(), time.Now()
	time.Sleep(span)
	return float64(count()-before) / time.Since(begun).Seconds(), nil
}

// fillTopic makes a topic with records, which are different.
func fillTopic(ctx context.Context, b *kafkatest.Broker, topic string, records int) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Address()), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	made, err := kadm.NewClient(c).CreateTopic(ctx, partitions, 1, nil, topic)
	if err := errors.Join(err, made.Err); err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	for i := range records {
		content := make([]byte, recordSize)
		copy(content, strconv.Itoa(i))
		c.Produce(ctx, &kgo.Record{Value: content}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// A member is a process that runs a pipeline and prints how many images it has
// delivered, until its input is closed.
type member struct {
	cmd       *exec.Cmd
	in        io.Closer
	delivered atomic.Int64
	ended     chan struct{} // closed when its output has ended
}

func startMember(ctx context.Context, file string) (*member, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &member{cmd: exec.CommandContext(ctx, program, "-member", file), ended: make(chan struct{})}
	m.cmd.Stderr = os.Stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(m.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				m.delivered.Store(n)
			}
		}
	}()
	return m, nil
}

func (m *member) stop() error {
	err := m.in.Close()
	<-m.ended
	return errors.Join(err, m.cmd.Wait())
}

// runMember is a member's process.
func runMember(ctx context.Context, file string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
	}()
	counters := &components.Counters{}
	go func() {
		for ctx.Err() == nil {
			fmt.Println(counters.Delivered.Load())
			time.Sleep(tellEvery)
		}
	}()
	_, err := ingest.Run(ctx, ingest.Options{
		Home: filepath.Join(filepath.Dir(file), "home"), File: file, Log: slog.New(slog.DiscardHandler), Counters: counters,
	})
	return err
}
