package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ConsumerOptions say what a consumer reads.
type ConsumerOptions struct {
	Cluster
	Topics []string
	// Group is the consumer group. Its members share the partitions.
	Group string
	// Newest makes a group that has read nothing yet begin with the records that come.
	// Otherwise it begins with the oldest.
	Newest bool
	// Once ends the consumer when its group has delivered the records that existed at
	// its start.
	Once bool
	// Session is after what silence the group takes a member for dead, and gives its
	// partitions to others.
	Session time.Duration
	Log     *slog.Logger
	// Answered is called with nil when the cluster has answered, and with an error when
	// it does not. It may be nil.
	Answered func(error)
}

const (
	// polled is the number of records that are taken at a time from those the client
	// has fetched.
	polled = 64
	// fetchBytes is how many bytes of records the client fetches ahead from a broker,
	// and fetchPartitionBytes from one partition. A larger record comes alone.
	fetchBytes          = 32 << 20
	fetchPartitionBytes = 8 << 20
	// mostOpen is how many records may wait in memory, without their content, for an
	// earlier one of their partition to be delivered.
	mostOpen = 4096
	// commitEvery is the interval at which the group's offsets are stored.
	commitEvery = time.Second
	// idle is how long a poll waits for records. Then the consumer finds out whether the
	// cluster answers at all, within answer.
	idle   = 10 * time.Second
	answer = 5 * time.Second
	// settle is how long the loss of a partition waits for those of its records that are
	// in work. Records that are not delivered by then are delivered by its new owner too.
	settle = 10 * time.Second
)

// A Consumer reads records as a member of a consumer group. Next is for one goroutine;
// the other methods may be called concurrently.
type Consumer struct {
	options ConsumerOptions
	client  *kgo.Client
	admin   *kadm.Client
	ends    kadm.ListedOffsets // of the topics at the start

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced when a record was answered
	queue      []*Record     // polled, and not returned by Next
	partitions map[topicPartition]*partition
	open       int // records of all partitions
	closing    bool
}

// OpenConsumer joins a consumer group. The caller closes the consumer.
func OpenConsumer(ctx context.Context, o ConsumerOptions) (*Consumer, error) {
	c := &Consumer{options: o, changed: make(chan struct{}), partitions: make(map[topicPartition]*partition)}
	start := kgo.NewOffset().AtStart()
	if o.Newest {
		start = kgo.NewOffset().AtEnd()
	}
	client, err := o.client(
		kgo.ConsumeTopics(o.Topics...), kgo.ConsumerGroup(o.Group), kgo.ConsumeResetOffset(start),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchPartitionBytes), kgo.FetchMaxWait(time.Second),
		// Records of transactions that were aborted do not exist. The marks of
		// transactions are read too, because the offset moves past them.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery), kgo.SessionTimeout(o.Session), kgo.HeartbeatInterval(o.Session/5),
		kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.lost),
	)
	if err != nil {
		return nil, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	err = ping(ctx, client)
	if err == nil {
		if c.ends, err = c.admin.ListCommittedOffsets(ctx, o.Topics...); err == nil {
			err = c.ends.Error()
		}
	}
	if err != nil {
		client.CloseAllowingRebalance()
		return nil, fmt.Errorf("kafka: topics %q: %w", o.Topics, err)
	}
	return c, nil
}

// Next waits for a record and returns it. The caller answers each by Delivered or
// Release. The error is io.EOF at the end of a consumer that reads once.
func (c *Consumer) Next(ctx context.Context) (*Record, error) {
	for {
		r, full, changed := c.take()
		switch {
		case r != nil:
			return r, nil
		case full:
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		if c.options.Once {
			if done, err := c.done(ctx); done || err != nil {
				return nil, errors.Join(err, ctx.Err())
			}
		}
		if err := c.poll(ctx); err != nil {
			return nil, err
		}
	}
}

// take returns the next record of the queue, or whether too many records are open.
func (c *Consumer) take() (r *Record, full bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open-len(c.queue) >= mostOpen {
		return nil, true, c.changed
	}
	if len(c.queue) == 0 {
		return nil, false, nil
	}
	r, c.queue = c.queue[0], c.queue[1:]
	r.inWork = true
	return r, false, nil
}

// poll fills the queue. No partition is taken away between the poll and its end.
func (c *Consumer) poll(ctx context.Context) error {
	limit := idle
	if c.options.Once {
		limit = commitEvery / 4
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	fetches := c.client.PollRecords(waiting, polled)
	defer c.client.AllowRebalance()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fetches.IsClientClosed() {
		return errors.New("kafka: the consumer is closed")
	}
	var failing error
	fetches.EachError(func(topic string, number int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			c.options.Log.Warn("Kafka cannot be read; it is tried again", "topic", topic, "partition", number, "error", err)
			failing = err
		}
	})
	c.add(fetches)
	switch {
	case failing != nil || fetches.NumRecords() > 0:
		c.answered(failing)
	case !c.options.Once:
		c.ask(ctx)
	}
	if failing != nil {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// ask finds out whether the cluster answers.
func (c *Consumer) ask(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	if err := ping(asking, c.client); ctx.Err() == nil {
		c.answered(err)
	}
}

// answered reports whether the cluster answers.
func (c *Consumer) answered(err error) {
	if c.options.Answered != nil {
		c.options.Answered(err)
	}
}

func (c *Consumer) add(fetches kgo.Fetches) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := c.partition(topicPartition{f.Topic, f.Partition})
		for _, one := range f.Records {
			if end, _ := c.ends.Lookup(f.Topic, f.Partition); c.options.Once && one.Offset >= end.Offset {
				break // it came after the start
			}
			r := &Record{Record: one, consumer: c, partition: p}
			p.open = append(p.open, r)
			c.open++
			p.next = one.Offset + 1
			if one.Attrs.IsControl() {
				r.delivered = true
				c.settle(p)
				continue
			}
			c.queue = append(c.queue, r)
		}
		p.end = max(f.HighWatermark, p.next)
	})
}

// done reports with io.EOF whether the group has delivered what existed at the start.
func (c *Consumer) done(ctx context.Context) (bool, error) {
	starts, committed, err := c.offsets(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	c.answered(err)
	if err != nil {
		return false, nil // it is tried again
	}
	all := true
	c.ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		at, _ := committed.Lookup(end.Topic, end.Partition)
		if end.Offset > max(start.Offset, at.At) {
			all = false
		}
	})
	if all {
		return true, io.EOF
	}
	return false, nil
}

// offsets stores the group's offsets, and returns the first ones of the partitions and
// those that the group has stored.
func (c *Consumer) offsets(ctx context.Context) (starts kadm.ListedOffsets, committed kadm.OffsetResponses, err error) {
	if err = c.client.CommitMarkedOffsets(ctx); err == nil {
		starts, err = c.admin.ListStartOffsets(ctx, c.options.Topics...)
	}
	if err == nil {
		committed, err = c.admin.FetchOffsets(ctx, c.options.Group)
	}
	return starts, committed, err
}

// Waiting returns the number of records that the broker has told of and that were not
// read, of this member's partitions.
func (c *Consumer) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(len(c.queue))
	for _, p := range c.partitions {
		n += p.end - p.next
	}
	return int(n)
}

// Close leaves the group and ends the consumer. Records that were not delivered are
// read by the next member that gets their partitions.
func (c *Consumer) Close() {
	c.mu.Lock()
	c.closing = true
	c.notify()
	c.mu.Unlock()
	c.client.CloseAllowingRebalance()
}
