package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// delivery is how long a record may take to be written before the write fails as an
// outage.
const delivery = 30 * time.Second

// A Producer writes records. Its methods may be called concurrently.
type Producer struct {
	client *kgo.Client
	alone  sync.RWMutex // held for writing by a record that must not share a request
}

// OpenProducer connects to a cluster. maxBytes is the limit of a record with its key and
// headers, and of the records that are sent together. It should be max.message.bytes of
// the topics. The caller closes the producer.
func OpenProducer(ctx context.Context, cluster Cluster, maxBytes int32) (*Producer, error) {
	p, err := newProducer(cluster, maxBytes)
	if err != nil {
		return nil, err
	}
	if err := ping(ctx, p.client); err != nil {
		p.client.Close()
		return nil, err
	}
	return p, nil
}

// newProducer returns a producer that may not be connected yet.
func newProducer(cluster Cluster, maxBytes int32) (*Producer, error) {
	client, err := cluster.client(
		// Every replica has a record before it counts as written, and a repetition
		// after a lost answer writes it once.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(maxBytes), kgo.RecordDeliveryTimeout(delivery),
		kgo.ProducerBatchCompression(kgo.NoCompression()), // images are compressed
	)
	if err != nil {
		return nil, err
	}
	return &Producer{client: client}, nil
}

// Write returns when all replicas in sync have the records. The error is a
// *failure.Error.
func (p *Producer) Write(ctx context.Context, records ...*kgo.Record) error {
	p.alone.RLock()
	err := p.client.ProduceSync(ctx, records...).FirstErr()
	p.alone.RUnlock()
	if errors.Is(err, kerr.MessageTooLarge) {
		err = p.writeAlone(ctx, records)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// writeAlone writes each of some records by itself. Brokers whose limit is below that of
// the producer refuse all records that are sent together with one that is too large.
func (p *Producer) writeAlone(ctx context.Context, records []*kgo.Record) error {
	p.alone.Lock()
	defer p.alone.Unlock()
	for _, r := range records {
		again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
		if err := p.client.ProduceSync(ctx, again).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the producer.
func (p *Producer) Close() error {
	p.client.Close()
	return nil
}
