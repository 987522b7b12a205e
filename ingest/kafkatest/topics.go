package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client returns a client of the broker, which ends with the test.
func (b *Broker) client(t testing.TB, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.Address()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Topic makes a topic and returns its name, which is unique for the test.
func (b *Broker) Topic(t testing.TB, name string, partitions int32) string {
	t.Helper()
	name = fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
	made, err := kadm.NewClient(b.client(t)).CreateTopic(t.Context(), partitions, 1, nil, name)
	if err := errors.Join(err, made.Err); err != nil {
		t.Fatal(err)
	}
	return name
}

// Put writes records and returns when the broker has them. A record without a topic
// goes to the given one.
func (b *Broker) Put(t testing.TB, topic string, records ...*kgo.Record) {
	t.Helper()
	c := b.client(t, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(MaxMessage))
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// Records returns the records of a topic, in order within each partition.
func (b *Broker) Records(t testing.TB, topic string) (records []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(b.client(t)).ListEndOffsets(ctx, topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		t.Fatal(err)
	}
	var missing int64
	ends.Each(func(o kadm.ListedOffset) { missing += o.Offset })
	c := b.client(t, kgo.ConsumeTopics(topic))
	for missing > 0 {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetched.Records()...)
		missing -= int64(fetched.NumRecords())
	}
	return records
}

// Committed returns the sum of the offsets that a consumer group has committed for a
// topic.
func (b *Broker) Committed(t testing.TB, group, topic string) (n int64) {
	t.Helper()
	offsets, err := kadm.NewClient(b.client(t)).FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.At > 0 {
			n += o.At
		}
	})
	return n
}
