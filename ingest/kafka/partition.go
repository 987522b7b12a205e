package kafka

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type topicPartition struct {
	topic  string
	number int32
}

// A partition is one that the consumer owns, from its assignment to its loss. A
// partition that comes back is another one, so that what is delivered of the first
// ownership does not count for the second.
type partition struct {
	open []*Record // read and not delivered, or after one that is not
	next int64     // the offset that is polled next
	end  int64     // the offset after the last record that the broker has told of
	lost bool
}

// A Record is a record that was read.
type Record struct {
	*kgo.Record
	consumer  *Consumer
	partition *partition
	inWork    bool // returned by Next, and not answered
	delivered bool
}

// Delivered says that the record need not be read again.
func (r *Record) Delivered() {
	c := r.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	r.inWork, r.delivered = false, true
	r.Value, r.Key, r.Headers = nil, nil, nil // it may wait for others
	c.settle(r.partition)
	c.notify()
}

// Release says that the record was not delivered. Next returns it again, unless its
// partition is lost or the consumer is closed.
func (r *Record) Release() {
	c := r.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	r.inWork = false
	if !r.partition.lost && !c.closing {
		c.queue = slices.Insert(c.queue, 0, r)
	}
	c.notify()
}

// partition returns an owned partition. The caller holds the lock.
func (c *Consumer) partition(name topicPartition) *partition {
	p := c.partitions[name]
	if p == nil {
		p = &partition{}
		c.partitions[name] = p
	}
	return p
}

// settle moves the group's offset past the delivered records at the beginning of a
// partition. The caller holds the lock.
func (c *Consumer) settle(p *partition) {
	if p.lost {
		return
	}
	n := 0
	for n < len(p.open) && p.open[n].delivered {
		n++
	}
	if n > 0 {
		c.client.MarkCommitRecords(p.open[n-1].Record)
		p.open = slices.Delete(p.open, 0, n)
		c.open -= n
	}
}

// notify wakes those who wait for an answer. The caller holds the lock.
func (c *Consumer) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// revoked gives partitions to other members, after those of their records that are in
// work were answered, if that does not take too long.
func (c *Consumer) revoked(ctx context.Context, client *kgo.Client, names map[string][]int32) {
	c.unqueue(names)
	timeout := time.NewTimer(settle)
	defer timeout.Stop()
	for waiting := true; waiting; {
		c.mu.Lock()
		working, changed := c.working(names), c.changed
		c.mu.Unlock()
		if !working {
			break
		}
		select {
		case <-changed:
		case <-timeout.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		c.options.Log.Warn("the offsets of a partition cannot be stored; its last records are delivered again", "error", err)
	}
	c.lost(ctx, client, names)
}

// lost forgets partitions.
func (c *Consumer) lost(_ context.Context, _ *kgo.Client, names map[string][]int32) {
	c.unqueue(names)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, p := range c.each(names) {
		p.lost = true
		c.open -= len(p.open)
		delete(c.partitions, name)
	}
	c.notify()
}

// unqueue takes the records of partitions out of the queue.
func (c *Consumer) unqueue(names map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.each(names) {
		c.queue = slices.DeleteFunc(c.queue, func(r *Record) bool { return r.partition == p })
	}
}

// working reports whether a record of the partitions is in work and may still be
// answered.
func (c *Consumer) working(names map[string][]int32) bool {
	for _, p := range c.each(names) {
		if !c.closing && slices.ContainsFunc(p.open, func(r *Record) bool { return r.inWork }) {
			return true
		}
	}
	return false
}

// each returns the owned ones of some partitions.
func (c *Consumer) each(names map[string][]int32) map[topicPartition]*partition {
	owned := make(map[topicPartition]*partition)
	for topic, numbers := range names {
		for _, number := range numbers {
			if p := c.partitions[topicPartition{topic, number}]; p != nil {
				owned[topicPartition{topic, number}] = p
			}
		}
	}
	return owned
}
