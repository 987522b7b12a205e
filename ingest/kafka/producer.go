package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// delivery is how long a record may take to be written before the write fails as an
// outage.
const delivery = 30 * time.Second

// A Producer writes records. Its methods may be called concurrently.
type Producer struct{ client *kgo.Client }

// OpenProducer connects to a cluster. A record has at most maxBytes, as all its
// metadata and the content take; brokers have a limit of their own. The caller closes
// the producer.
func OpenProducer(ctx context.Context, cluster Cluster, maxBytes int32) (*Producer, error) {
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
	if err := ping(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	return &Producer{client}, nil
}

// Write returns when all replicas in sync have the records. The error is a
// *failure.Error.
func (p *Producer) Write(ctx context.Context, records ...*kgo.Record) error {
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return failed(err)
	}
	return nil
}

// Close ends the producer.
func (p *Producer) Close() error {
	p.client.Close()
	return nil
}
